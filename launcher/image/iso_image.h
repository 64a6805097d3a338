// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tapgate {

/// A CD-ROM image (ISO 9660 with Rock Ridge and Joliet, which preserve names) with this label and
/// these files: their names and contents. Throws a LauncherError.
std::string iso_image(const std::string& label,
                      const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace tapgate
