// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// tapgate import: foreign images as a VM of the user's.
ExitCode import_vm(const CommandLine& command);
ExitCode export_vm(const CommandLine& command);

}  // namespace tapgate
