// SPDX-License-Identifier: GPL-2.0-or-later
//
// A verb on several VMs: each is a command of its own, and they run side by side.
#ifndef TAPGATE_LAUNCHER_CLI_SEVERAL_H
#define TAPGATE_LAUNCHER_CLI_SEVERAL_H

#include <optional>
#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// Does the command for each of its operands, or with --all for each VM that runs; then prints a
/// line for each that failed. Nothing when there is one operand: the verb does that itself. Throws
/// a UsageError when there is none and no --all.
std::optional<ExitCode> on_several(const CommandLine& command);

/// The words of a `tapgate' that does `command` for `operand` alone.
std::vector<std::string> words_for(const CommandLine& command, const std::string& operand);

}  // namespace tapgate

#endif
