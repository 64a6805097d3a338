// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that exist completely or not at all.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "common/unique_fd.h"

namespace tapgate {

/// A file that is being made beside `target` under another name. Removed unless it becomes
/// `target`.
class UnfinishedFile {
  public:
    /// Removes what a killed process has left for the same target. On a home that hosts share, this
    /// may be the file of another host that is making the same; but then one of the two fails
    /// anyway.
    explicit UnfinishedFile(const std::string& target);
    ~UnfinishedFile();
    UnfinishedFile(const UnfinishedFile&) = delete;
    UnfinishedFile& operator=(const UnfinishedFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Creates the file, for a caller who writes it himself instead of a program. To be called
    /// once. The umask applies to `mode`. Throws a LauncherError that names the target.
    [[nodiscard]] UniqueFd create(mode_t mode) const;

    /// Makes the file the target, with mode 0600. Throws a LauncherError, also when a target
    /// exists.
    void finish() const;

    /// The same, but replaces an existing target and keeps its mode. Throws a LauncherError.
    void replace() const;

  private:
    void remove_left_over() const;

    std::string target_;
    std::string path_;
};

/// Makes the file `path`, mode 0600, completely or not at all. Throws a LauncherError; when the
/// file exists already, with the text `exists`.
void write_new_file(const std::string& path, std::string_view text, const std::string& exists);

/// The same, but replaces what is there.
void replace_file(const std::string& path, std::string_view text);

}  // namespace tapgate
