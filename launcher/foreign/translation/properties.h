// SPDX-License-Identifier: GPL-2.0-or-later
//
// The properties in the value of an option of QEMU's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapgate {

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
