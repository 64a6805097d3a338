// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_LAUNCHER_TRANSLATE_VERBS_H
#define TAPGATE_LAUNCHER_TRANSLATE_VERBS_H

#include "launcher/cli/command_line.h"

namespace tapgate {

/// tapgate translate: an old command line of QEMU's as a description of a VM.
int translate_vm(const CommandLine& command);

}  // namespace tapgate

#endif
