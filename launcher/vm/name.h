// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// A VM's name as similar to `text` as possible: with '-' for characters that names cannot have,
/// and with "vm" before a leading digit. Empty when nothing of `text` is left.
std::string fitting_name(std::string_view text);

}  // namespace tapgate
