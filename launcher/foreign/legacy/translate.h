// SPDX-License-Identifier: GPL-2.0-or-later
//
// Translates a QEMU command line of any year to a VM's settings. A pure function of the words: it
// looks at no file, and certainly not at the format of an image.
#pragma once

#include <string>

#include "launcher/foreign/shell/script.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// The translation of `command`, which may begin with QEMU's first option instead of its name.
/// Relative paths in kept options start in `directory`. An option that no QEMU knows is named in a
/// note. Throws a LauncherError for values that cannot be understood, and for machines that are not
/// PCs.
Translation translate_qemu_command(const ShellCommand& command, const std::string& directory);

}  // namespace tapgate
