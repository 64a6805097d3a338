// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/names.h"

#include <charconv>

#include "common/words.h"

namespace tapgate {

namespace {

// What a VM's name may have: first the letters, with which it begins.
constexpr std::string_view name_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr size_t letters = 52;

}  // namespace

std::optional<InterfaceName> InterfaceName::parse(std::string_view text) {
    if (text.empty() || text.size() > max_size || text == "." || text == ".." || !is_one_word(text))
        return std::nullopt;
    return InterfaceName(text);
}

std::optional<VmName> VmName::parse(std::string_view text) {
    if (text.empty() || text.size() > max_size || name_characters.find(text.front()) >= letters ||
        text.find_first_not_of(name_characters) != std::string_view::npos)
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

std::string MacAddress::str() const {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes_)
        text.append({':', digits[byte >> 4U], digits[byte & 15U]});
    return text.substr(1);
}

}  // namespace tapgate
