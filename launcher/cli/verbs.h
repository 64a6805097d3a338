// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table of the verbs of the command line and their options.
#pragma once

#include "launcher/cli/grammar.h"

namespace tapgate {

/// The whole table.
const Grammar& grammar();

}  // namespace tapgate
