// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that make, keep and change images.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode clone_vm(const CommandLine& command);
ExitCode keep_snapshots(const CommandLine& command);
ExitCode seed_vm(const CommandLine& command);
ExitCode resize_disk(const CommandLine& command);

}  // namespace tapgate
