// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs of the command line and their options, each once.
#ifndef TAPGATE_LAUNCHER_CLI_VERBS_H
#define TAPGATE_LAUNCHER_CLI_VERBS_H

#include "launcher/cli/grammar.h"

namespace tapgate {

/// The whole table.
const Grammar& grammar();

}  // namespace tapgate

#endif
