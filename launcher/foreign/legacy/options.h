// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's own command line, of any year: which options there are or were (table.cc).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

struct LegacyParts;
struct LegacyOption;

/// One row for each option that QEMU has or had, from 0.9 to 10 and in RHEL's, Debian's and
/// Proxmox' own: its name, whether a value follows, and what becomes of it.
struct LegacyOptionKind {
    std::string_view name;
    bool has_value;
    void (*handler)(LegacyParts& parts, const LegacyOption& option);
    std::string_view why = {};  ///< why it is dropped
};

struct LegacyOption {
    const LegacyOptionKind* kind = nullptr;  ///< nothing: a disk image without an option's name
    std::string value;
    std::string text;          ///< as it was written: "-m 1024"
    std::string unknown = {};  ///< an option that no QEMU has: why it is thought so
};

/// The options in `words`, QEMU's arguments without its name. A word that no QEMU knew is an option
/// of no kind, with its reason; what follows it and is no option is its value. Throws a
/// LauncherError for a NUL byte, for an option without its value, and for what starts no VM
/// (-help).
std::vector<LegacyOption> parse_legacy_options(const std::vector<std::string>& words);

}  // namespace tapgate
