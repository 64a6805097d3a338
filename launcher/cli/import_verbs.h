// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_LAUNCHER_CLI_IMPORT_VERBS_H
#define TAPGATE_LAUNCHER_CLI_IMPORT_VERBS_H

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// tapgate import: foreign images as a VM of the user's.
ExitCode import_vm(const CommandLine& command);
ExitCode export_vm(const CommandLine& command);

}  // namespace tapgate

#endif
