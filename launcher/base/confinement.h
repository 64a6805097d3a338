// SPDX-License-Identifier: GPL-2.0-or-later
//
// A program that may open the files that are named here, and none of the user's others: the kernel
// sees to it (Landlock, since Linux 5.13).
//
// qemu-img opens whatever an image names, with the user's rights, and what it opens ends up where a
// guest reads it. Images are read here before, and refused when they name what they should not;
// this covers what those readers understand differently from QEMU.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// What a confined program may open: regular files and block devices.
struct FileAccess {
    std::vector<std::string> read;   ///< the user named them: a link is followed
    std::vector<std::string> parts;  ///< an image named them: a link is none of them
    std::vector<std::string> write;  ///< to read as well; they have to be there
};

/// The version of the running kernel's Landlock; 0 where it has none, or none that may be used.
int landlock_version();

/// What a program started for `files` is held to: the files, and for reading the folders that hold
/// the system's programs and libraries, and those of `program` (an absolute path). It makes no file
/// and has no TCP connection. No descriptor where the kernel has no Landlock. Throws a
/// LauncherError for a file that cannot be opened or is of another kind: before anything opens it
/// (a FIFO waits).
class Confinement {
  public:
    Confinement(const FileAccess& files, const std::string& program);

    /// Runs `start`, which starts a program that is confined; this process is not. Passes on what
    /// `start` throws.
    void run(const std::function<void()>& start) const;

  private:
    UniqueFd rules_;
};

}  // namespace tapgate
