// SPDX-License-Identifier: GPL-2.0-or-later
//
// A verb for several VMs: it becomes a command for each, and these run side by side.
#pragma once

#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// Carries out the command. For several VMs (or --all) it runs once for each, and then prints a
/// line for each that failed. For a VM of Slurm's it runs where the VM is, otherwise here. Throws a
/// LauncherError.
ExitCode do_command(const CommandLine& command);

/// The arguments of `tapgate` that do what `command` says for `operand` alone.
std::vector<std::string> words_for(const CommandLine& command, const std::string& operand);

}  // namespace tapgate
