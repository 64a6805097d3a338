// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs a program that may open only the files that are named here, and none of the user's others.
// The kernel enforces it (Landlock, since Linux 5.13).
//
// qemu-img opens whatever an image names, with the user's rights, and what it reads ends up where a
// guest can read it. So images are checked here first, and refused when they name what they should
// not. Confinement covers the cases that QEMU understands differently from our checks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// What a confined program may open: regular files and block devices.
struct FileAccess {
    std::vector<std::string> read;   ///< named by the user: links are followed
    std::vector<std::string> parts;  ///< named by an image: must not be links
    std::vector<std::string> write;  ///< may be read too; must exist
};

/// The version of the running kernel's Landlock; 0 where it has none, or where it is disabled.
int landlock_version();

/// The limits for a program that is started for `files`. It may open those files, and for reading
/// also the folders of the system's programs and libraries, and those of `program` (an absolute
/// path). It can make no files and no TCP connections. Where the kernel has no Landlock, nothing is
/// enforced. The constructor throws a LauncherError for a file that cannot be opened or is of
/// another kind; it checks that before it opens one, since a FIFO would block.
class Confinement {
  public:
    Confinement(const FileAccess& files, const std::string& program);

    /// Calls `start`, which starts a program; that program is confined, and this process is not.
    /// Passes on what `start` throws.
    void run(const std::function<void()>& start) const;

  private:
    UniqueFd rules_;
};

}  // namespace tapgate
