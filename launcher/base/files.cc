// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// Up to `most` bytes.
std::string read_up_to(int fd, size_t most, const std::string& path) {
    std::string text(most, '\0');
    size_t size = 0;
    while (size < most) {
        const ssize_t got = read(fd, text.data() + size, most - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail_with_errno(shown(path));
        if (got == 0)
            break;
        size += static_cast<size_t>(got);
    }
    text.resize(size);
    return text;
}

}  // namespace

void read_pieces(int fd, const std::string& path,
                 const std::function<void(std::string_view)>& take) {
    std::string buffer(size_t{1} << 20U, '\0');
    for (;;) {
        const ssize_t got = read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail_with_errno(shown(path));
        if (got == 0)
            return;
        take(std::string_view(buffer).substr(0, static_cast<size_t>(got)));
    }
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

std::optional<std::string> read_file(const std::string& path, size_t most) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd && errno == ENOENT)
        return std::nullopt;
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0)
        fail_with_errno(shown(path));
    if (!S_ISREG(status.st_mode))
        throw LauncherError(shown(path) + ": not a regular file");
    std::string text = read_up_to(fd.get(), most + 1, path);
    if (text.size() > most)
        throw LauncherError(shown(path) + ": longer than " + std::to_string(most) + " bytes");
    return text;
}

std::string read_standard_input(size_t most) {
    constexpr const char* name = "standard input";
    std::string text = read_up_to(STDIN_FILENO, most + 1, name);
    if (text.size() > most)
        throw LauncherError(std::string(name) + ": longer than " + std::to_string(most) + " bytes");
    return text;
}

std::string first_word(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::string text(256, '\0');
    const ssize_t got = fd ? read(fd.get(), text.data(), text.size()) : -1;
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text.substr(0, text.find_first_of(" \n"));
}

std::string line_of(const std::string& path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(key)) {
            const size_t value = line.find_first_not_of(" \t:", key.size());
            return value == std::string::npos ? "" : line.substr(value);
        }
    return {};
}

std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> entries;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(directory, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
        entries.push_back(entry->path());
    return entries;
}

std::string end_of_file(const std::string& path) {
    constexpr off_t most = 4096;
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text(most, '\0');
    const off_t size = fd ? lseek(fd.get(), 0, SEEK_END) : 0;
    const ssize_t got =
        fd ? pread(fd.get(), text.data(), text.size(), size > most ? size - most : 0) : 0;
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return terminal_text(text);
}

bool exists(const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
}

bool is_same_file(const std::string& a, const std::string& b) {
    const UniqueFd fd(open(a.c_str(), O_PATH | O_CLOEXEC));
    return fd && is_same_file(fd.get(), b);
}

bool is_same_file(int fd, const std::string& path) {
    struct stat opened {};
    struct stat there {};
    return fstat(fd, &opened) == 0 && stat(path.c_str(), &there) == 0 &&
           opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

void require_file(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        fail_with_errno(shown(path));
    if (S_ISDIR(status.st_mode))
        throw LauncherError(shown(path) + " is a directory");
}

void make_private_directory(const std::string& path) {
    // Missing directories above it too, as the XDG specification says.
    for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
        const std::string above = path.substr(0, end);
        if (access(above.c_str(), F_OK) != 0 && mkdir(above.c_str(), 0700) != 0 && errno != EEXIST)
            fail_with_errno(shown(above));
    }
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        fail_with_errno(shown(path));
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0)
        fail_with_errno(shown(path));
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        throw LauncherError(shown(path) + " is not a directory of yours; remove it");
    if ((status.st_mode & 077) != 0 && chmod(path.c_str(), 0700) != 0)
        fail_with_errno(shown(path));
}

}  // namespace tapgate
