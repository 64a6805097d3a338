// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate lab: several VMs as one thing.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"

namespace tapgate {

ExitCode control_lab(const CommandLine& command);

/// The help for one of the things that can be done with a lab ("up"), as help_text() has it for a
/// verb; empty when `word` is none of them.
std::string lab_help(const Grammar& grammar, const std::string& word, size_t terminal);

}  // namespace tapgate
