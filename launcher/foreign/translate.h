// SPDX-License-Identifier: GPL-2.0-or-later
//
// From a QEMU command line of any year to a VM's settings. A pure function of the words: no file is
// looked at, an image's format least of all.
#ifndef TAPGATE_LAUNCHER_TRANSLATE_H
#define TAPGATE_LAUNCHER_TRANSLATE_H

#include <string>
#include <vector>

#include "launcher/foreign/shell_script.h"
#include "launcher/foreign/translation.h"

namespace tapgate {

/// The one command of a script that starts a QEMU, behind sudo, nohup and the like; `source` is
/// what errors call the script. Throws a LauncherError when there is none or more than one, or when
/// only a shell could tell its words.
ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source);

/// What `command` becomes; it may begin with QEMU's first option instead of its name. Relative
/// paths of options that are kept start in `directory`. Throws a LauncherError for options that no
/// QEMU knew, and for machines that are no PCs.
Translation translate_qemu_command(const ShellCommand& command, const std::string& directory);

}  // namespace tapgate

#endif
