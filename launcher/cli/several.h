// SPDX-License-Identifier: GPL-2.0-or-later
//
// A verb on several VMs: each is a command of its own, and they run side by side.
#pragma once

#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// Does the command: for each of its VMs when there are several (or --all), and then prints a line
/// for each that failed; where the VM is, when that is Slurm's; else here. Throws a LauncherError.
ExitCode do_command(const CommandLine& command);

/// The words of a `tapgate' that does `command` for `operand` alone.
std::vector<std::string> words_for(const CommandLine& command, const std::string& operand);

}  // namespace tapgate
