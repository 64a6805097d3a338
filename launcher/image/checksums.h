// SPDX-License-Identifier: GPL-2.0-or-later
//
// The checksums that distributions publish beside their images.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "launcher/base/progress_bar.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

/// What a file's content must be: a SHA-256 or SHA-512, told apart by its length.
class Checksum {
  public:
    /// Nothing unless `hex` is 64 or 128 hex digits.
    static std::optional<Checksum> parse(std::string_view hex);

    [[nodiscard]] const std::string& hex() const { return hex_; }
    [[nodiscard]] bool is_sha512() const { return hex_.size() == 128; }

    bool operator==(const Checksum&) const = default;

  private:
    explicit Checksum(std::string hex) : hex_(std::move(hex)) {}
    std::string hex_;
};

/// The checksum of the file `name` in a list as sha256sum(1) or sha512sum(1) writes it, with or
/// without --tag; other lines are ignored. Nothing when the list does not have the file.
std::optional<Checksum> checksum_in(std::string_view list, std::string_view name);

/// The checksums of a file, which is read only once.
struct FileChecksums {
    std::string sha256;
    std::string sha512;
};
FileChecksums checksums_of(const std::string& path, const HeldSignals& signals,
                           const Progress& progress);

}  // namespace tapgate
