// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that write, show and translate descriptions of VMs. They start nothing.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode create_vm(const CommandLine& command);
ExitCode edit_vm(const CommandLine& command);
ExitCode delete_vm(const CommandLine& command);
ExitCode show_vm(const CommandLine& command);
ExitCode print_argv(const CommandLine& command);
ExitCode set_keys(const CommandLine& command);
ExitCode rename_vm(const CommandLine& command);
ExitCode set_autostart(const CommandLine& command);
ExitCode print_help(const CommandLine& command);

/// The help for `verb` (null: for all), or for what it does by `word` ("lab", "up") where that has
/// a help of its own.
std::string help_for(const Grammar& grammar, const Verb* verb, const std::string& word,
                     size_t terminal);

ExitCode print_completion(const CommandLine& command);

}  // namespace tapgate
