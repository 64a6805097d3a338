// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images that a script makes, and what it says of their formats.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tapgate {

struct MadeImage {
    std::string path;    ///< as written
    std::string format;  ///< QEMU's word for it; empty if it is made in several formats
};

/// The one that `qemu-img create` or `qemu-img convert` makes; nothing: the command is none of
/// those.
std::optional<MadeImage> image_made_by(const std::vector<std::string>& words);

}  // namespace tapgate
