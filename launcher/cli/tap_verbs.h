// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verb for programs other than QEMU.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode run_with_tap(const CommandLine& command);

}  // namespace tapgate
