// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/identity.h"

#include <bit>

namespace tapgate {

namespace {

constexpr size_t block_size = 64;

constexpr std::array<std::uint32_t, 64> round_constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;

void add_block(State& state, std::string_view block) {
    std::array<std::uint32_t, 64> w{};
    for (size_t i = 0; i < block_size; i++)
        w[i / 4] = (w[i / 4] << 8) | static_cast<std::uint8_t>(block[i]);
    for (size_t i = 16; i < w.size(); i++) {
        const std::uint32_t s0 =
            std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
        const std::uint32_t s1 =
            std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (size_t i = 0; i < w.size(); i++) {
        const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
        const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    const State added = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < state.size(); i++)
        state[i] += added[i];
}

// NULs between the parts, which have none: two VMs never make the same text.
std::array<std::uint8_t, 32> digest(std::string_view what, const Owner& owner, const VmName& vm,
                                    unsigned index) {
    std::string text = "tapgate ";
    text.append(what);
    for (const std::string& part :
         {owner.machine_id, std::to_string(owner.uid), vm.str(), std::to_string(index)}) {
        text += '\0';
        text += part;
    }
    return sha256(text);
}

}  // namespace

std::array<std::uint8_t, 32> sha256(std::string_view text) {
    State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::string padded(text);
    padded += '\x80';
    while (padded.size() % block_size != block_size - 8)
        padded += '\0';
    const std::uint64_t bits = std::uint64_t{text.size()} * 8;
    for (int shift = 56; shift >= 0; shift -= 8)
        padded += static_cast<char>((bits >> shift) & 0xff);
    for (size_t i = 0; i < padded.size(); i += block_size)
        add_block(state, std::string_view(padded).substr(i, block_size));
    std::array<std::uint8_t, 32> bytes{};
    for (size_t i = 0; i < bytes.size(); i++)
        bytes[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
    return bytes;
}

MacAddress stable_mac(const Owner& owner, const VmName& vm, unsigned index) {
    const auto hash = digest("mac", owner, vm, index);
    return MacAddress::from_bytes({0x52, 0x54, 0x00, hash[0], hash[1], hash[2]}).value();
}

std::string stable_uuid(const Owner& owner, const VmName& vm) {
    auto hash = digest("uuid", owner, vm, 0);
    hash[6] = static_cast<std::uint8_t>((hash[6] & 0x0f) | 0x80);
    hash[8] = static_cast<std::uint8_t>((hash[8] & 0x3f) | 0x80);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += digits[hash[i] >> 4];
        text += digits[hash[i] & 0x0f];
    }
    return text;
}

}  // namespace tapgate
