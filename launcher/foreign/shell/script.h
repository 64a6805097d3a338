// SPDX-License-Identifier: GPL-2.0-or-later
//
// The commands of a shell script, as far as they can be known without running it: quotes, comments,
// continued lines, variables and arrays that the script sets to a plain text, tests of them,
// functions. Nothing is ever run.
//
// libvirt's logs of the QEMUs that it started, systemd's units and lines of ps read the same way.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell/command.h"

namespace tapgate {

/// The commands of `text` in their order. A command that cannot be known without running it has a
/// `problem`, and the others are none the worse. `lookup`: see ShellVariables. `arguments`: the
/// script's; where there are none, what hangs on them is no certain thing. Throws a LauncherError
/// for a NUL byte, for variables that grow without end, and a ScriptRefused.
std::vector<ShellCommand> read_shell_script(
    std::string_view text, const std::function<const char*(const std::string&)>& lookup,
    ShellReading reading = ShellReading::here, const std::vector<std::string>& arguments = {});

}  // namespace tapgate
