// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate lab: several VMs as one thing.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode control_lab(const CommandLine& command);

}  // namespace tapgate
