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

/// The contents of the regular file `path`; nothing when there is no such file. Throws a
/// LauncherError for any other failure, for anything but a regular file, and for one of more than
/// `most` bytes. Never blocks (as opening a FIFO could).
std::optional<std::string> read_file(const std::string& path, size_t most = 64UL * 1024);

/// All of standard input. Throws a LauncherError if that cannot be read, or for more than `most`
/// bytes.
std::string read_standard_input(size_t most);

/// The first word of a small system file (in /proc, /sys or /etc); empty when it cannot be read.
std::string first_word(const std::string& path);

/// The rest of the line of a small system file that begins with `key`, without the blanks and
/// colons after the key; empty when there is none.
std::string line_of(const std::string& path, const std::string& key);

/// The paths of everything in a directory, in no particular order; none when it cannot be read.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory);

/// The end of the file `path`, fit for a terminal; empty when it cannot be read.
std::string end_of_file(const std::string& path);

/// Whether there is anything at `path`.
bool exists(const std::string& path);

/// Whether both paths lead to one file, by whatever names. False when one leads to none.
bool is_same_file(const std::string& a, const std::string& b);
/// Whether `path` leads to the open file.
bool is_same_file(int fd, const std::string& path);

/// Throws a LauncherError when there is nothing at `path`, or a directory.
void require_file(const std::string& path);

/// Makes the directory `path` and those above it with mode 0700, whatever the umask. Throws a
/// LauncherError, also when there is something else there than this user's own directory to which
/// nobody else can write: others could put their sockets into it.
void make_private_directory(const std::string& path);

/// Reads `fd` to its end and gives all of it to `take`, up to 1 MiB at a time. Throws a
/// LauncherError that names `path` when reading fails.
void read_pieces(int fd, const std::string& path,
                 const std::function<void(std::string_view piece)>& take);

/// Writes all of `text` to `fd`. False, with errno set, when that fails.
bool write_all(int fd, std::string_view text);

}  // namespace tapgate
