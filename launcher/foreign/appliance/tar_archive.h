// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the members of a tar archive (POSIX ustar, pax, GNU) lie. Nothing is ever unpacked, so that
// no name in it can lead anywhere. And how one is written.
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

/// The regular files in the archive `path`, in their order. Throws a LauncherError for what is no
/// tar archive, for one that is cut off, and for more than 1000 members.
std::vector<TarMember> tar_members(const std::string& path);

/// What the member holds. Throws a LauncherError when that is more than `most` bytes.
std::string read_tar_member(const std::string& path, const TarMember& member, size_t most);

/// Writes an archive: POSIX ustar, with a pax header only where a member has 8 GiB or more. Names
/// have at most 100 bytes.
class TarWriter {
  public:
    /// Where a header's eleven octal digits end.
    static constexpr std::uint64_t octal_end = std::uint64_t{1} << 33U;

    /// Writes it to the empty file `fd`; `name` stands for that in errors. From `large` bytes on a
    /// size is in a pax header. Throws a LauncherError, as all here.
    TarWriter(UniqueFd fd, std::string name, std::uint64_t large = octal_end);

    void add(const std::string& name, std::string_view text);
    /// What the regular file `path` holds; `each_piece` is called before each of its pieces.
    void add_file(const std::string& name, const std::string& path,
                  const std::function<void()>& each_piece);
    /// The end mark, without which it is none.
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
