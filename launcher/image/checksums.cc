// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/checksums.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/sha256.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// "SHA256 (name) = hex".
std::optional<Checksum> tagged(std::string_view line, std::string_view name) {
    const size_t open = line.find(" (");
    const size_t close = line.rfind(") = ");
    if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2 ||
        line.substr(open + 2, close - open - 2) != name)
        return std::nullopt;
    return Checksum::parse(line.substr(close + 4));
}

// "hex  name", "hex *name".
std::optional<Checksum> plain(std::string_view line, std::string_view name) {
    const size_t blank = std::min(line.find(' '), line.size());
    std::string_view file = line.substr(blank);
    file.remove_prefix(std::min(file.find_first_not_of(" *"), file.size()));
    if (file.starts_with("./"))
        file.remove_prefix(2);
    return file == name ? Checksum::parse(line.substr(0, blank)) : std::nullopt;
}

std::string hex_digits(const std::vector<std::uint8_t>& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes)
        text.append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
    return text;
}

}  // namespace

std::optional<Checksum> Checksum::parse(std::string_view hex) {
    if ((hex.size() != 64 && hex.size() != 128) ||
        !std::all_of(hex.begin(), hex.end(), [](unsigned char c) { return std::isxdigit(c) != 0; }))
        return std::nullopt;
    std::string lower(hex);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return Checksum(std::move(lower));
}

std::optional<Checksum> checksum_in(std::string_view list, std::string_view name) {
    while (!list.empty()) {
        const std::string_view whole = list.substr(0, list.find('\n'));
        list.remove_prefix(std::min(whole.size() + 1, list.size()));
        const std::string_view line = trimmed(whole);
        auto found = plain(line, name);
        if (!found)
            found = tagged(line, name);
        if (found)
            return found;
    }
    return std::nullopt;
}

FileChecksums checksums_of(const std::string& path, const HeldSignals& signals,
                           const Progress& progress) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0)
        fail_with_errno(shown(path));
    Sha256 sha256;
    sha512_ctx sha512{};
    sha512_init(&sha512);
    std::uint64_t done = 0;
    read_pieces(fd.get(), path, [&](std::string_view piece) {
        signals.throw_if_any();
        sha256.add(piece);
        sha512_update(&sha512, piece.size(), reinterpret_cast<const std::uint8_t*>(piece.data()));
        done += piece.size();
        if (progress && status.st_size > 0)
            progress(100.0 * static_cast<double>(done) / static_cast<double>(status.st_size));
    });
    std::vector<std::uint8_t> digest(SHA512_DIGEST_SIZE);
    sha512_digest(&sha512, digest.size(), digest.data());
    return {.sha256 = hex_text(sha256.digest()), .sha512 = hex_digits(digest)};
}

}  // namespace tapgate
