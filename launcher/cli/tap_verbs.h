// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verb for programs other than QEMU.
#ifndef TAPGATE_LAUNCHER_TAP_VERBS_H
#define TAPGATE_LAUNCHER_TAP_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

int run_with_tap(const CommandLine& command);

}  // namespace tapgate

#endif
