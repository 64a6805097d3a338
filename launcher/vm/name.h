// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// `text` as a VM's name, as near as names can be: '-' for what they cannot have, and "vm" before a
/// digit at the beginning; empty when nothing of it is left.
std::string fitting_name(std::string_view text);

}  // namespace tapgate
