// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that begin and end a VM's life, and those that interrupt it.
#ifndef TAPGATE_LAUNCHER_LIFE_VERBS_H
#define TAPGATE_LAUNCHER_LIFE_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

int run_vm(const CommandLine& command);
int start_vm(const CommandLine& command);
int stop_vm(const CommandLine& command);
int kill_vm(const CommandLine& command);
int restart_vm(const CommandLine& command);
int reset_vm(const CommandLine& command);
int pause_vm(const CommandLine& command);
int resume_vm(const CommandLine& command);

}  // namespace tapgate

#endif
