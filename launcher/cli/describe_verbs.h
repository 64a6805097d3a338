// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that write, show and translate descriptions of VMs, and start nothing.
#ifndef TAPGATE_LAUNCHER_DESCRIBE_VERBS_H
#define TAPGATE_LAUNCHER_DESCRIBE_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

int create_vm(const CommandLine& command);
int edit_vm(const CommandLine& command);
int delete_vm(const CommandLine& command);
int show_vm(const CommandLine& command);
int print_argv(const CommandLine& command);
int print_completion(const CommandLine& command);

}  // namespace tapgate

#endif
