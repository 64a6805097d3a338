// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/lock.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// The bytes and permissions of QEMU's locks (include/block/block-common.h in its sources). The
// fifth permission was BLK_PERM_GRAPH_MOD until QEMU 7.0.
constexpr off_t used = 100;
constexpr off_t unshared = 200;
constexpr off_t consistent_read = 0;
constexpr off_t write = 1;
constexpr off_t resize = 3;
constexpr off_t permissions = 5;

struct flock byte_range(short type, off_t first, off_t count) {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = first;
    range.l_len = count;
    return range;
}

UniqueFd open_locked(const std::string& path) {
    return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

// Whether another process has a lock on one of these bytes. The descriptor may be open read-only.
bool is_held(const UniqueFd& fd, off_t first, off_t count) {
    struct flock range = byte_range(F_WRLCK, first, count);
    return fd && fcntl(fd.get(), F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

ImageUse use_of(const UniqueFd& fd) {
    if (is_held(fd, used + write, 1) || is_held(fd, used + resize, 1))
        return ImageUse::writing;
    return is_held(fd, used, permissions) || is_held(fd, unshared, permissions) ? ImageUse::reading
                                                                                : ImageUse::none;
}

// Whether the process has the image open. Other users' descriptors cannot be seen, but their
// command lines can.
bool has_open(const std::filesystem::path& process, const struct stat& image,
              const std::string& path) {
    for (const std::filesystem::path& fd : entries_of(process / "fd")) {
        struct stat status {};
        if (stat(fd.c_str(), &status) == 0 && status.st_dev == image.st_dev &&
            status.st_ino == image.st_ino)
            return true;
    }
    if (access((process / "fd").c_str(), R_OK) == 0)
        return false;
    constexpr size_t longest = 1024UL * 1024;
    try {
        const auto words = read_file((process / "cmdline").string(), longest);
        return words && (words->find("\"" + path + "\"") != std::string::npos ||
                         words->find("=" + path + ",") != std::string::npos);
    } catch (const LauncherError&) {
        return false;
    }
}

// A process of this host that has it open; nothing when none can be seen.
std::optional<pid_t> process_with_image(const std::string& path) {
    struct stat image {};
    if (stat(path.c_str(), &image) != 0)
        return std::nullopt;
    for (const std::filesystem::path& process : entries_of("/proc")) {
        const auto number = parse_whole<pid_t>(process.filename().string(), 1);
        if (number && *number != getpid() && has_open(process, image, path))
            return number;
    }
    return std::nullopt;
}

std::optional<VmName> vm_of(pid_t process) {
    for (VmName& name : vms_with_state())
        if (vm_state(name).qemu == process)
            return std::move(name);
    return std::nullopt;
}

// "the VM lab, process 4711 of this host (qemu-system-x86)".
std::string text_of(pid_t process) {
    const std::string directory = "/proc/" + std::to_string(process);
    const std::string words = "process " + std::to_string(process);
    struct stat status {};
    if (stat(directory.c_str(), &status) == 0 && status.st_uid != getuid()) {
        const passwd* const user = getpwuid(status.st_uid);  // NOLINT(concurrency-mt-unsafe)
        return words + " of " +
               (user != nullptr ? shown(user->pw_name) : "uid " + std::to_string(status.st_uid)) +
               " (" + shown(first_word(directory + "/comm")) + ")";
    }
    const auto vm = vm_of(process);
    return (vm ? "the VM " + vm->str() + ", " : "") + words + " of this host (" +
           shown(first_word(directory + "/comm")) + ")";
}

LauncherError in_use(const std::string& path) {
    LauncherError error(shown(path) + " is in use, by " + image_user(path) +
                        ": end that first; nothing was done");
    return error;
}

}  // namespace

ImageUse image_use(const std::string& path) {
    return use_of(open_locked(path));
}

std::optional<VmName> vm_with_image(const std::string& path) {
    const auto process = process_with_image(path);
    return process ? vm_of(*process) : std::nullopt;
}

std::string image_user(const std::string& path) {
    const auto process = process_with_image(path);
    return process ? text_of(*process)
                   : "a VM on another host, or another user's (QEMU's lock on it says so)";
}

void refuse_used_image(const std::string& path) {
    if (image_use(path) != ImageUse::none)
        throw in_use(path);
}

void refuse_conflicting_use(const std::string& path, ImageUse wanted) {
    const UniqueFd fd = open_locked(path);
    const bool others_write = is_held(fd, used + write, 1) || is_held(fd, used + resize, 1);
    const bool others_mind = is_held(fd, unshared + write, 1) || is_held(fd, unshared + resize, 1);
    if (others_write || (wanted == ImageUse::writing && others_mind))
        throw in_use(path);
}

HeldImage::HeldImage(const std::string& path, For purpose) {
    struct stat status {};
    // Not the target of a link: when the link is removed, that stays.
    if (lstat(path.c_str(), &status) != 0 ||
        !(S_ISREG(status.st_mode) || (purpose == For::reading && stat(path.c_str(), &status) == 0)))
        return;
    fd_ = open_locked(path);
    if (!fd_)
        return;
    // As QEMU does it: first lock, then look, so that of two processes at least one sees the other.
    const bool ending = purpose == For::ending;
    const auto take = [&](off_t first, off_t count) {
        struct flock range = byte_range(F_RDLCK, first, count);
        // Without locks (ENOLCK, EOPNOTSUPP), QEMU does not open it either.
        (void)fcntl(fd_.get(), F_OFD_SETLK, &range);
    };
    take(used + consistent_read, 1);
    if (ending)
        take(unshared, permissions);
    else {
        take(unshared + write, 1);
        take(unshared + resize, 1);
    }
    const bool others_write = is_held(fd_, used + write, 1) || is_held(fd_, used + resize, 1);
    if (others_write || (ending && is_held(fd_, used, permissions)))
        throw in_use(path);
    // Nor one that does not share reading: it is about to write the whole image.
    if (is_held(fd_, unshared + consistent_read, 1))
        throw in_use(path);
}

}  // namespace tapgate
