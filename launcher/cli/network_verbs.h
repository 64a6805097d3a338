// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that look at the host's network and at guests through it.
#ifndef TAPGATE_LAUNCHER_NETWORK_VERBS_H
#define TAPGATE_LAUNCHER_NETWORK_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

int show_bridges(const CommandLine& command);
int show_addresses(const CommandLine& command);
int ssh_to_vm(const CommandLine& command);
int print_ssh_config(const CommandLine& command);
int wait_for_vm(const CommandLine& command);
int run_doctor(const CommandLine& command);

}  // namespace tapgate

#endif
