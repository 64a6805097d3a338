// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which command of a script starts QEMU, behind sudo, nohup and the like.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell/command.h"

namespace tapgate {

/// The one command of a script that starts a QEMU, behind sudo, nohup and the like; of a log of
/// libvirt's, which has many starts of one VM, the last. `source` is what errors call the script.
/// Throws a LauncherError when there is none or more than one, or when only a shell could tell its
/// words.
ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source);

/// That command of a script's text, read as it would run here with these arguments; where that
/// leads to no start of QEMU, with all its branches alike. `lookup`: see ShellVariables.
ShellCommand find_qemu_start(std::string_view text,
                             const std::function<const char*(const std::string&)>& lookup,
                             const std::string& source,
                             const std::vector<std::string>& arguments = {});

}  // namespace tapgate
