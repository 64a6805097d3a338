// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds the command of a script that starts QEMU, after sudo, nohup and the like.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell/command.h"
#include "launcher/foreign/shell/surroundings.h"

namespace tapgate {

/// The only command of a script that starts a QEMU, after sudo, nohup and the like; in libvirt's
/// logs, which have many starts of one VM, the last one. Errors call the script `source`. Throws a
/// LauncherError if there is none or more than one, or if only a shell knows its words.
ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source);

/// That command in a script's text, read as it would run here with these arguments, or if that does
/// not reach a start of QEMU, with all branches alike.
ShellCommand find_qemu_start(std::string_view text, const Surroundings& surroundings,
                             const std::string& source,
                             const std::vector<std::string>& arguments = {});

}  // namespace tapgate
