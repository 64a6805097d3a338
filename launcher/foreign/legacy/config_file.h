// SPDX-License-Identifier: GPL-2.0-or-later
//
// Configuration files of QEMU's (-readconfig), which have options in sections.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// The file's sections as words of a command line: `[device "d0"]' with `driver = "nvme"' is
/// -device id=d0,driver=nvme. Throws a LauncherError that begins with `source' for a line that QEMU
/// would refuse.
std::vector<std::string> options_in_config_file(std::string_view text, const std::string& source);

}  // namespace tapgate
