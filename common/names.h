// SPDX-License-Identifier: GPL-2.0-or-later
//
// The names that cross the line between the unprivileged and the privileged side. Each is a type
// that cannot hold a wrong value, so a name is checked once, where it comes in, and trusted from
// there on.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tapgate {

/// A network interface's name, as dev_valid_name() in the kernel's net/core/dev.c accepts it: 1 to
/// 15 bytes, not "." or "..", without '/', ':' or white space. What printable() replaces is refused
/// too, though the kernel would accept it: it would reach terminals, or nobody would see it.
class InterfaceName {
  public:
    /// The longest name, in bytes: IFNAMSIZ without the terminating NUL.
    static constexpr size_t max_size = 15;

    /// Nothing when `text` cannot name an interface.
    static std::optional<InterfaceName> parse(std::string_view text);

    [[nodiscard]] const std::string& str() const { return name_; }
    // clang-tidy 14 mistakes the generated comparison with 0 for a comparison of pointers.
    auto operator<=>(const InterfaceName&) const = default;  // NOLINT(modernize-use-nullptr)

  private:
    explicit InterfaceName(std::string_view name) : name_(name) {}
    std::string name_;
};

/// A VM's name: a letter, then letters, digits, '.', '_' and '-'; at most 40 bytes. None of these
/// is special to QEMU's option parser, to a shell, or in the blank-separated ifalias tag.
class VmName {
  public:
    static constexpr size_t max_size = 40;

    /// Nothing when `text` is not such a name.
    static std::optional<VmName> parse(std::string_view text);

    [[nodiscard]] const std::string& str() const { return name_; }
    auto operator<=>(const VmName&) const = default;  // NOLINT(modernize-use-nullptr): see above

  private:
    explicit VmName(std::string_view name) : name_(name) {}
    std::string name_;
};

/// An Ethernet address that one station can have: not multicast, and not all zeroes.
class MacAddress {
  public:
    using Bytes = std::array<std::uint8_t, 6>;

    /// Reads six colon-separated pairs of hex digits, as in "52:54:00:12:34:56". Nothing when
    /// `text` is anything else, or is not a station's address.
    static std::optional<MacAddress> parse(std::string_view text);

    /// Nothing when `bytes` are not a station's address.
    static std::optional<MacAddress> from_bytes(const Bytes& bytes);

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }
    [[nodiscard]] std::string str() const;
    auto operator<=>(const MacAddress&) const = default;

  private:
    explicit MacAddress(const Bytes& bytes) : bytes_(bytes) {}
    Bytes bytes_;
};

}  // namespace tapgate
