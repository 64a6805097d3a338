// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options that QEMU's command line has or had in any year (table.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

struct LegacyParts;
struct LegacyOption;

/// One row for each option, from QEMU 0.9 to 10, and of RHEL's, Debian's and Proxmox' own: its
/// name, and what becomes of it. translation/qemu_options.h knows which ones take a value.
struct LegacyOptionKind {
    std::string_view name;
    void (*handler)(LegacyParts& parts, const LegacyOption& option);
    std::string_view why = {};  ///< why it is left out
};

struct LegacyOption {
    const LegacyOptionKind* kind = nullptr;  ///< null for a disk image without an option's name
    std::string value;
    std::string text;          ///< as written: "-m 1024"
    std::string unknown = {};  ///< why it seems to be an option that no QEMU has; else empty
    std::optional<unsigned> slot = {};  ///< where QEMU puts the device on machine pc (pc_slots.cc)
};

/// The options in `words`, QEMU's arguments without its name. A word that no QEMU knows is an
/// option without a kind, but with a reason; if the word after it is not an option, that is its
/// value. Throws a LauncherError for a NUL byte, for an option that lacks its value, and for what
/// starts no VM (-help).
std::vector<LegacyOption> parse_legacy_options(const std::vector<std::string>& words);

}  // namespace tapgate
