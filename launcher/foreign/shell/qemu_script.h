// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds the command of a script that starts QEMU, after sudo, nohup and the like.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell/command.h"

namespace tapgate {

/// The only command of a script that starts a QEMU, after sudo, nohup and the like; in a log of
/// libvirt's, which has many starts of one VM, the last. Errors call the script `source`. Throws a
/// LauncherError when there is none or more than one, or when only a shell could tell its words.
ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source);

/// That command of a script's text, read as it would run here with these arguments; where that
/// leads to no start of QEMU, with all its branches alike. `lookup`: see ShellVariables.
ShellCommand find_qemu_start(std::string_view text,
                             const std::function<const char*(const std::string&)>& lookup,
                             const std::string& source,
                             const std::vector<std::string>& arguments = {});

}  // namespace tapgate
