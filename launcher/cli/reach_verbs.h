// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that do something in a guest: run a command, copy files, connect ssh.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode ssh_to_vm(const CommandLine& command);
ExitCode print_ssh_config(const CommandLine& command);
ExitCode relay_ssh(const CommandLine& command);
ExitCode exec_in_vm(const CommandLine& command);
ExitCode copy_files(const CommandLine& command);

}  // namespace tapgate
