// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images that a script makes, and their formats.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tapgate {

struct MadeImage {
    std::string path;    ///< as written
    std::string format;  ///< QEMU's word for it; empty if it is made in several formats
};

/// The image that a `qemu-img create` or `qemu-img convert` makes; nothing if the command is
/// neither.
std::optional<MadeImage> image_made_by(const std::vector<std::string>& words);

}  // namespace tapgate
