// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which command of a script starts QEMU, behind sudo, nohup and the like.
#ifndef TAPGATE_LAUNCHER_FOREIGN_QEMU_SCRIPT_H
#define TAPGATE_LAUNCHER_FOREIGN_QEMU_SCRIPT_H

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell_script.h"

namespace tapgate {

/// The place of QEMU's name in the words of a command; end() when it starts none.
std::vector<std::string>::const_iterator find_qemu(const std::vector<std::string>& words);

/// What is wrong with a word that should have been QEMU's name.
std::string no_qemu(std::string_view word);

/// The one command of a script that starts a QEMU, behind sudo, nohup and the like; of a log of
/// libvirt's, which has many starts of one VM, the last. `source` is what errors call the script.
/// Throws a LauncherError when there is none or more than one, or when only a shell could tell its
/// words.
ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source);

/// What is said of QEMU on Windows.
inline constexpr const char* of_windows =
    "it is a command line of Windows', whose disks are not on this host: copy the images, and "
    "write "
    "it anew from QEMU's name on, without .exe and with their paths here";

}  // namespace tapgate

#endif
