// SPDX-License-Identifier: GPL-2.0-or-later
//
// The properties in the value of a QEMU option.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapgate {

/// The value of an option, `e1000,mac=...,multifunction`, as a list of properties in their order.
/// Whoever understands a property removes it; the user has to be told about what is left.
class Properties {
  public:
    using Property = std::pair<std::string, std::string>;

    /// Parses a value as QEMU does. A first word without `=' belongs to `first_key`; other such
    /// words are switches (`readonly` is readonly=on, `nowait` is wait=off); a doubled comma is a
    /// comma. A value that begins with '{' is parsed as JSON, with nested names like
    /// "file.filename". Throws a LauncherError for malformed JSON.
    static Properties parse(std::string_view text, std::string_view first_key);

    /// Removes all properties of this name and returns the last one, which counts, as with QEMU.
    std::optional<std::string> take(std::string_view key);
    /// The same, but returns all of them.
    std::vector<std::string> take_all(std::string_view key);
    void set(std::string_view key, std::string_view value);

    /// The value, or an empty string when there is none.
    [[nodiscard]] std::string get(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] const std::vector<Property>& all() const { return properties_; }
    /// The properties, for changing their values in place.
    [[nodiscard]] std::vector<Property>& all() { return properties_; }

    /// The value in QEMU's notation, with commas doubled; without `first_key` if that comes first.
    [[nodiscard]] std::string str(std::string_view first_key = {}) const;

  private:
    std::vector<Property> properties_;
};

}  // namespace tapgate
