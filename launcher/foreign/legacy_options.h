// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's own command line, of any year: which options there are or were, and how their values are
// written.
#ifndef TAPGATE_LAUNCHER_FOREIGN_LEGACY_OPTIONS_H
#define TAPGATE_LAUNCHER_FOREIGN_LEGACY_OPTIONS_H

#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

/// The value of an option, `e1000,mac=...,multifunction`: its properties in their order. Whoever
/// understands one takes it away; what is left has to be told the user.
class Properties {
  public:
    using Property = std::pair<std::string, std::string>;

    /// As QEMU reads it: a first word without `=' belongs to `first_key`; other such words are
    /// switches (`readonly` is readonly=on, `nowait` is wait=off); two commas are one. A value that
    /// begins with '{' is read as JSON, with inner names as "file.filename". Throws a LauncherError
    /// for JSON that is none.
    static Properties parse(std::string_view text, std::string_view first_key);

    /// Takes all of this name away; the last one counts, as with QEMU.
    std::optional<std::string> take(std::string_view key);
    /// The same, all of them.
    std::vector<std::string> take_all(std::string_view key);
    void set(std::string_view key, std::string_view value);

    /// Empty when there is none.
    [[nodiscard]] std::string get(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] const std::vector<Property>& all() const { return properties_; }
    /// For whoever changes values in their places.
    [[nodiscard]] std::vector<Property>& all() { return properties_; }

    /// As QEMU reads it, commas doubled; `first_key` is left out where it comes first.
    [[nodiscard]] std::string str(std::string_view first_key = {}) const;

  private:
    std::vector<Property> properties_;
};

}  // namespace tapgate

#endif
