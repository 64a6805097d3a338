// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that begin and end a VM's life, and those that interrupt it.
#pragma once

#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// What was asked for, as words of a command line behind `run` that mean the same in any directory:
/// the VM first.
std::vector<std::string> start_words(const CommandLine& command);

/// `command` with the words that its VM was started with (start_words()), as far as it does not say
/// otherwise itself.
CommandLine with_words(const CommandLine& command, std::vector<std::string> words);

/// Before `reset --to-base`: asks whoever is there, unless --yes is. Throws a LauncherError when he
/// does not agree.
void ask_before_reset(const CommandLine& command);

ExitCode run_vm(const CommandLine& command);
ExitCode start_vm(const CommandLine& command);
ExitCode stop_vm(const CommandLine& command);
ExitCode kill_vm(const CommandLine& command);
ExitCode restart_vm(const CommandLine& command);
ExitCode reset_vm(const CommandLine& command);
ExitCode eject_cd(const CommandLine& command);
ExitCode attach_to_vm(const CommandLine& command);
ExitCode detach_from_vm(const CommandLine& command);
ExitCode pause_vm(const CommandLine& command);
ExitCode resume_vm(const CommandLine& command);

}  // namespace tapgate
