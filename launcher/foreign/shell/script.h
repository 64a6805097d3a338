// SPDX-License-Identifier: GPL-2.0-or-later
//
// The commands of a shell script, as far as they can be known without running it: with quotes,
// comments, continued lines, variables and arrays that the script sets to plain text, tests of
// them, and functions. Nothing is ever run.
//
// libvirt's logs of the QEMUs that it has started, systemd units and lines of ps are read the same
// way.
#pragma once

#include <string_view>
#include <vector>

#include "launcher/foreign/shell/command.h"
#include "launcher/foreign/shell/surroundings.h"

namespace tapgate {

/// The commands of `text` in their order. A command that cannot be known without running it has a
/// `problem`, which does not affect the others. `arguments` are
/// the script's; without any, what depends on them is uncertain. Throws a LauncherError for a NUL
/// byte and for variables that grow without end, and a ScriptRefused.
std::vector<ShellCommand> read_shell_script(std::string_view text, const Surroundings& surroundings,
                                            ShellReading reading = ShellReading::here,
                                            const std::vector<std::string>& arguments = {});

}  // namespace tapgate
