// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that look at one VM: its console, log and screen.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode attach_console(const CommandLine& command);
ExitCode print_log(const CommandLine& command);
ExitCode print_vnc(const CommandLine& command);
ExitCode view_vm(const CommandLine& command);
ExitCode take_screenshot(const CommandLine& command);

}  // namespace tapgate
