// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds the members of a tar archive (POSIX ustar, pax, GNU), and writes archives. Nothing is ever
// unpacked, so that no name in an archive can lead anywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

struct TarMember {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// The regular files in the archive `path`, in their order. Throws a LauncherError when it is not a
/// tar archive, when it is truncated, and when it has more than 1000 members.
std::vector<TarMember> tar_members(const std::string& path);

/// The content of the member. Throws a LauncherError when that is more than `most` bytes.
std::string read_tar_member(const std::string& path, const TarMember& member, size_t most);

/// Writes an archive: POSIX ustar, with a pax header only for a member of 8 GiB or more. Names have
/// at most 100 bytes.
class TarWriter {
  public:
    /// The size that eleven octal digits in a header cannot hold any more.
    static constexpr std::uint64_t octal_end = std::uint64_t{1} << 33U;

    /// Writes the archive to the empty file `fd`, which errors call `name`. A size of `large` bytes
    /// or more is put into a pax header. Throws a LauncherError, as everything here does.
    TarWriter(UniqueFd fd, std::string name, std::uint64_t large = octal_end);

    void add(const std::string& name, std::string_view text);
    /// Adds the content of the regular file `path`; calls `each_piece` before each of its pieces.
    void add_file(const std::string& name, const std::string& path,
                  const std::function<void()>& each_piece);
    /// Writes the end mark, without which it is not an archive.
    void close();

  private:
    void header(const std::string& name, std::uint64_t size, char type);
    void write(std::string_view bytes);
    void fill_block(std::uint64_t size);

    UniqueFd fd_;
    std::string name_;
    std::uint64_t large_;
};

}  // namespace tapgate
