// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate lab: several VMs as one thing.
#ifndef TAPGATE_LAUNCHER_LAB_VERBS_H
#define TAPGATE_LAUNCHER_LAB_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

int control_lab(const CommandLine& command);

}  // namespace tapgate

#endif
