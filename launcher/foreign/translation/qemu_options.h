// SPDX-License-Identifier: GPL-2.0-or-later
//
// What all readers know of the options of QEMU's command line.
#pragma once

#include <span>
#include <string_view>

namespace tapgate {

/// The options that a value follows, in QEMU of any year from 0.9 to 10, and RHEL's, Debian's and
/// Proxmox' own: their names, without dashes.
std::span<const std::string_view> options_with_value();

/// Whether the option of this name, without dashes, is one of those.
bool takes_value(std::string_view option);

}  // namespace tapgate
