// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that look at the host's network and at guests through it.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode show_bridges(const CommandLine& command);
ExitCode show_addresses(const CommandLine& command);
ExitCode wait_for_vm(const CommandLine& command);
ExitCode run_doctor(const CommandLine& command);

}  // namespace tapgate
