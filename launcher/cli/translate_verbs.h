// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

/// `tapgate translate`: turns an old QEMU command line into the description of a VM.
ExitCode translate_vm(const CommandLine& command);

}  // namespace tapgate
