// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that are there whole or not at all.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "common/unique_fd.h"

namespace tapgate {

/// A file that is being made beside `target`, under another name: removed unless it becomes that.
class UnfinishedFile {
  public:
    /// Removes what a killed process has left of the same target. On a home that hosts share that
    /// may be what another host is making of it: of two who make the same, one fails in any case.
    explicit UnfinishedFile(const std::string& target);
    ~UnfinishedFile();
    UnfinishedFile(const UnfinishedFile&) = delete;
    UnfinishedFile& operator=(const UnfinishedFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Makes it, for who writes it here and not by a program; once. `mode`: less the umask. Throws
    /// a LauncherError that names the target.
    [[nodiscard]] UniqueFd create(mode_t mode) const;

    /// From then on it is the target, mode 0600. Throws a LauncherError, also when there is one.
    void finish() const;

    /// The same in the place of one that is there, with the mode that it has. Throws a
    /// LauncherError.
    void replace() const;

  private:
    void remove_left_over() const;

    std::string target_;
    std::string path_;
};

/// Makes the file `path`, mode 0600, whole or not at all. Throws a LauncherError, also when there
/// is one: then it says `exists`.
void write_new_file(const std::string& path, std::string_view text, const std::string& exists);

/// The same, in the place of what is there.
void replace_file(const std::string& path, std::string_view text);

}  // namespace tapgate
