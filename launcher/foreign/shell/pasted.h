// SPDX-License-Identifier: GPL-2.0-or-later
//
// Command lines as people paste them.
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// The text as it was before somebody quoted it in a mail (`>' before each line), or before it was
/// Proxmox' error about a VM that did not start, or Proxmox' command line was wrapped between its
/// words; any other text as it is.
std::string before_pasting(std::string_view text);

}  // namespace tapgate
