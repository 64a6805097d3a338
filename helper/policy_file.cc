// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/unique_fd.h"

namespace tapgate {

namespace {

constexpr off_t largest_file = 1 << 20;

// Why a policy file with this status must not be obeyed; empty when it may be. `file` is the status
// of the opened file: its name could lead to another file a moment later.
std::string reason_for_distrust(const std::string& name, const struct stat& file) {
    // In a user namespace the kernel says 65534 for an owner who has no uid there.
    if (file.st_uid == 65534)
        return name + " is nobody's (chown root " + name + "), or root's outside of this user " +
               "namespace, in which tapgate-helper has no privilege";
    if (file.st_uid != 0)
        return name + " is not owned by root: chown root " + name;
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return name + " is writable by group or others: chmod go-w " + name;
    return {};
}

}  // namespace

PolicyText read_policy_file(const std::string& path) {
    const std::string name = printable(path, long_text);
    // O_NONBLOCK, so that a FIFO in place of the file does not block; it is refused below.
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
            return {.text = {}, .error = errno, .distrust = {}};
        fail_with_errno(name);
    }
    struct stat status {};
    if (fstat(fd.get(), &status) != 0)
        fail_with_errno(name);
    if (!S_ISREG(status.st_mode))
        throw Failure(name + " is not a regular file");
    if (status.st_size > largest_file)
        throw Failure(name + " is larger than 1 MiB");

    // Ask for one byte more than there should be, to notice a file that has grown. Fewer bytes do
    // not mean the end of the file: the kernel also stops before a page that it cannot read, or has
    // no memory for, and there may be `deny`s in it.
    std::string text(static_cast<size_t>(status.st_size) + 1, '\0');
    const ssize_t got = read(fd.get(), text.data(), text.size());
    if (got < 0)
        fail_with_errno(name);
    if (got != status.st_size)
        throw Failure(name + " is being written to, or cannot be read whole: try again");
    text.pop_back();
    return {.text = std::move(text), .error = 0, .distrust = reason_for_distrust(name, status)};
}

std::string read_to_end(int fd, const std::string& what) {
    std::string text;
    std::array<char, 16384> buffer;  // NOLINT: filled by read()
    ssize_t got = 0;
    while ((got = read(fd, buffer.data(), buffer.size())) > 0)
        text.append(buffer.data(), static_cast<size_t>(got));
    if (got < 0)
        fail_with_errno(what);
    return text;
}

std::string read_host_file(const std::string& path) {
    const std::string what = "failed to read " + printable(path, long_text);
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT)
        return {};
    if (!fd)
        fail_with_errno(what);
    return read_to_end(fd.get(), what);
}

Policy load_installed_policy() {
    try {
        return parse_policy(installed_policy, read_policy_file);
    } catch (const Failure& failure) {
        throw Failure(std::string("failed to parse default acl file `") + installed_policy +
                      "': " + failure.what());
    }
}

}  // namespace tapgate
