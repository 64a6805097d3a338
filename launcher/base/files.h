// SPDX-License-Identifier: GPL-2.0-or-later
//
// Small files, read and written whole.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// What the regular file `path` holds; nothing when there is no such file. Throws a LauncherError
/// for any other failure, for what is not a regular file, and for one of more than `most` bytes.
/// Never waits (for the writer of a FIFO).
std::optional<std::string> read_file(const std::string& path, size_t most = 64UL * 1024);

/// The first word of a small file of the system's (/proc, /sys, /etc); empty when it cannot be
/// read.
std::string first_word(const std::string& path);

/// The line of a small file of the system's that begins with `key`, without that and the blanks and
/// colons behind it; empty when there is none.
std::string line_of(const std::string& path, const std::string& key);

/// The paths of what is in a directory, in no order; none where it cannot be read.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory);

/// The last of what the file `path` holds, fit for a terminal; empty when it cannot be read.
std::string end_of_file(const std::string& path);

/// Whether anything is called `path`.
bool exists(const std::string& path);

/// Throws a LauncherError when nothing is called `path`, or a directory is.
void require_file(const std::string& path);

/// Makes the directory `path` and those above it, 0700, whoever's umask. Throws a LauncherError,
/// also when what is there is not this user's own directory that nobody else can write to: others
/// could put their sockets into it.
void make_private_directory(const std::string& path);

/// Gives all that `fd` still has to `take`, up to 1 MiB at a time. Throws a LauncherError that
/// names `path` when reading fails.
void read_pieces(int fd, const std::string& path,
                 const std::function<void(std::string_view piece)>& take);

/// Writes all of `text` to `fd`. False, with errno, when that fails.
bool write_all(int fd, std::string_view text);

}  // namespace tapgate
