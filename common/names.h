// SPDX-License-Identifier: GPL-2.0-or-later
//
// The words that cross the line between the unprivileged and the privileged side. Each is a type
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

/// A network interface's name: what dev_valid_name() in the kernel's net/core/dev.c takes. 1 to 15
/// bytes, not "." or "..", none of '/', ':' and white space, and no control characters (the kernel
/// would take those; a terminal or a log would not).
class InterfaceName {
  public:
    /// The longest name, in bytes: IFNAMSIZ less its terminating NUL.
    static constexpr size_t max_size = 15;

    /// Nothing when `text` cannot name an interface.
    static std::optional<InterfaceName> parse(std::string_view text);

    [[nodiscard]] const std::string& str() const { return name_; }
    // clang-tidy 14 takes the comparison with 0 that the compiler makes of it for a pointer's.
    auto operator<=>(const InterfaceName&) const = default;  // NOLINT(modernize-use-nullptr)

  private:
    explicit InterfaceName(std::string_view name) : name_(name) {}
    std::string name_;
};

/// A VM's name: a letter, then letters, digits, '.', '_' and '-'; 40 bytes at most. Nothing in it
/// means anything to QEMU's option parser, to a shell, or to the blank-separated ifalias tag.
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

/// An Ethernet address that a single station can have: not multicast, not all zeroes.
class MacAddress {
  public:
    using Bytes = std::array<std::uint8_t, 6>;

    /// Six colon-separated pairs of hex digits, as in "52:54:00:12:34:56"; nothing when `text` is
    /// something else or no station's address.
    static std::optional<MacAddress> parse(std::string_view text);

    /// Nothing when `bytes` are no station's address.
    static std::optional<MacAddress> from_bytes(const Bytes& bytes);

    /// The address on the host's end of the wire of the guest's adapter that has this one: the same
    /// but for the first byte, 0xFE, as QEMU's helper and libvirt make it. A bridge without an
    /// address of its own takes its lowest port's, and no port's is higher than these.
    [[nodiscard]] MacAddress host_side() const;

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }
    [[nodiscard]] std::string str() const;
    auto operator<=>(const MacAddress&) const = default;

  private:
    explicit MacAddress(const Bytes& bytes) : bytes_(bytes) {}
    Bytes bytes_;
};

}  // namespace tapgate
