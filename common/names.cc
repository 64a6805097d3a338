// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/names.h"

#include <algorithm>
#include <charconv>

namespace tapgate {

namespace {

// Not <cctype>: its answers depend on the locale, but the validity of a name must not.
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::optional<InterfaceName> InterfaceName::parse(std::string_view text) {
    if (text.empty() || text.size() > max_size || text == "." || text == "..")
        return std::nullopt;
    const bool clean = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c > ' ' && c != 0x7f && c != '/' && c != ':';
    });
    if (!clean)
        return std::nullopt;
    return InterfaceName(text);
}

std::optional<VmName> VmName::parse(std::string_view text) {
    if (text.empty() || text.size() > max_size || !is_letter(text.front()))
        return std::nullopt;
    const bool clean = std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
    });
    if (!clean)
        return std::nullopt;
    return VmName(text);
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    Bytes bytes{};
    if (text.size() != bytes.size() * 3 - 1)
        return std::nullopt;
    for (size_t i = 0; i < bytes.size(); i++) {
        const char* const pair = text.data() + 3 * i;
        const auto [stop, error] = std::from_chars(pair, pair + 2, bytes[i], 16);
        if (stop != pair + 2 || (i + 1 < bytes.size() && *stop != ':'))
            return std::nullopt;
    }
    return from_bytes(bytes);
}

std::optional<MacAddress> MacAddress::from_bytes(const Bytes& bytes) {
    const bool multicast = (bytes[0] & 1U) != 0;
    if (multicast || bytes == Bytes{})
        return std::nullopt;
    return MacAddress(bytes);
}

MacAddress MacAddress::host_side() const {
    MacAddress result = *this;
    result.bytes_[0] = 0xFE;
    return result;
}

std::string MacAddress::str() const {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes_) {
        if (!text.empty())
            text += ':';
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

}  // namespace tapgate
