// SPDX-License-Identifier: GPL-2.0-or-later
//
// From a QEMU command line of any year to a VM's settings. A pure function of the words: no file is
// looked at, an image's format least of all.
#pragma once

#include <string>

#include "launcher/foreign/shell/script.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// What `command` becomes; it may begin with QEMU's first option instead of its name. Relative
/// paths of options that are kept start in `directory`. An option that no QEMU knew is named in a
/// note. Throws a LauncherError for values that nobody understands, and for machines that are no
/// PCs.
Translation translate_qemu_command(const ShellCommand& command, const std::string& directory);

}  // namespace tapgate
