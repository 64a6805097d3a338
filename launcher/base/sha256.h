// SPDX-License-Identifier: GPL-2.0-or-later
//
// SHA-256, by nettle.
#pragma once

#include <nettle/sha2.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tapgate {

/// The hash of what is added piece by piece.
class Sha256 {
  public:
    Sha256() { sha256_init(&context_); }

    void add(std::string_view bytes);

    /// The hash of everything added so far. The next add() starts anew.
    std::array<std::uint8_t, 32> digest();

  private:
    sha256_ctx context_{};
};

std::array<std::uint8_t, 32> sha256(std::string_view text);

/// As sha256sum(1) prints it.
std::string hex_text(const std::array<std::uint8_t, 32>& digest);

}  // namespace tapgate
