// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that say how VMs are: list and status.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode list_vms(const CommandLine& command);
ExitCode print_status(const CommandLine& command);

}  // namespace tapgate
