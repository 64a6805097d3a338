// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/sha256.h"

namespace tapgate {

void Sha256::add(std::string_view bytes) {
    sha256_update(&context_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

std::array<std::uint8_t, 32> Sha256::digest() {
    std::array<std::uint8_t, 32> result{};
    sha256_digest(&context_, result.size(), result.data());
    return result;
}

std::array<std::uint8_t, 32> sha256(std::string_view text) {
    Sha256 hash;
    hash.add(text);
    return hash.digest();
}

std::string hex_text(const std::array<std::uint8_t, 32>& digest) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : digest)
        text.append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
    return text;
}

}  // namespace tapgate
