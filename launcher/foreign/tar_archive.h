// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the members of a tar archive (POSIX ustar, pax, GNU) lie. Nothing is ever unpacked, so that
// no name in it can lead anywhere.
#ifndef TAPGATE_LAUNCHER_TAR_ARCHIVE_H
#define TAPGATE_LAUNCHER_TAR_ARCHIVE_H

#include <cstdint>
#include <string>
#include <vector>

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

}  // namespace tapgate

#endif
