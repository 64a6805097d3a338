// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that look at VMs.
#ifndef TAPGATE_LAUNCHER_LOOK_VERBS_H
#define TAPGATE_LAUNCHER_LOOK_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

int list_vms(const CommandLine& command);
int print_status(const CommandLine& command);
int attach_console(const CommandLine& command);
int print_log(const CommandLine& command);
int print_vnc(const CommandLine& command);
int take_screenshot(const CommandLine& command);

}  // namespace tapgate

#endif
