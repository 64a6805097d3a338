// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that watch: who uses what, and what happens.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode print_usage(const CommandLine& command);
ExitCode show_top(const CommandLine& command);
ExitCode print_events(const CommandLine& command);

}  // namespace tapgate
