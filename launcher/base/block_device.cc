// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/block_device.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/cdrom.h>
#include <linux/major.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <climits>  // of CDSL_CURRENT
#include <fstream>
#include <set>
#include <sstream>

#include "common/unique_fd.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

std::optional<struct stat> device_status(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || !S_ISBLK(status.st_mode))
        return std::nullopt;
    return status;
}

// Never blocks, not even to wait for a disc.
UniqueFd open_device(const std::string& path, int more_flags = 0) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | more_flags));
    return fd;
}

// "8:1", the form in which the kernel names devices in /sys and /proc.
std::string number_text(dev_t device) {
    return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

// The numbers of the device and of its partitions.
std::set<std::string> numbers_of(dev_t device) {
    std::set<std::string> numbers = {number_text(device)};
    for (const auto& entry : entries_of("/sys/dev/block/" + number_text(device))) {
        // Only partitions have this file.
        if (access((entry / "partition").c_str(), F_OK) == 0)
            numbers.insert(first_word((entry / "dev").string()));
    }
    return numbers;
}

// From proc(5): the third word of a line is the device's number, and the fifth its mount point.
std::string mount_of(const std::set<std::string>& numbers) {
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string id;
        std::string parent;
        std::string number;
        std::string root;
        std::string place;
        if (words >> id >> parent >> number >> root >> place && numbers.contains(number))
            return place;
    }
    return {};
}

bool is_swap(const std::set<std::string>& numbers) {
    std::ifstream swaps("/proc/swaps");
    std::string line;
    std::getline(swaps, line);  // the headings
    while (std::getline(swaps, line)) {
        const auto status = device_status(line.substr(0, line.find(' ')));
        if (status && numbers.contains(number_text(status->st_rdev)))
            return true;
    }
    return false;
}

}  // namespace

bool is_block_device(const std::string& path) {
    return device_status(path).has_value();
}

bool is_cd_drive(const std::string& path) {
    const auto status = device_status(path);
    if (!status)
        return false;
    // /dev/sr0 and the like have SCSI_CDROM_MAJOR. Other drives answer a request that only drives
    // understand.
    if (major(status->st_rdev) == SCSI_CDROM_MAJOR)
        return true;
    const UniqueFd fd = open_device(path);
    return fd && ioctl(fd.get(), CDROM_DRIVE_STATUS, CDSL_CURRENT) >= 0;
}

std::optional<std::uint64_t> block_device_size(const std::string& path) {
    const UniqueFd fd = open_device(path);
    const off_t end = fd ? lseek(fd.get(), 0, SEEK_END) : -1;
    if (end < 0)
        return std::nullopt;
    return static_cast<std::uint64_t>(end);
}

DeviceUse use_of_device(const std::string& path) {
    const auto status = device_status(path);
    if (!status)
        return {};
    const std::set<std::string> numbers = numbers_of(status->st_rdev);
    DeviceUse use{.mounted_on = mount_of(numbers), .holder = {}};
    if (use.mounted_on.empty() && is_swap(numbers))
        use.mounted_on = "swap";
    for (const std::string& number : numbers) {
        for (const auto& holder : entries_of("/sys/dev/block/" + number + "/holders"))
            use.holder = holder.filename().string();
    }
    return use;
}

std::string device_permission(const std::string& path) {
    const auto status = device_status(path);
    if (!status)
        return {};
    const passwd* const owner = getpwuid(status->st_uid);  // NOLINT(concurrency-mt-unsafe)
    std::string whose = owner != nullptr ? owner->pw_name : std::to_string(status->st_uid);
    const group* const group = getgrgid(status->st_gid);  // NOLINT(concurrency-mt-unsafe)
    const std::string whose_group =
        group != nullptr ? group->gr_name : std::to_string(status->st_gid);
    const passwd* const self = getpwuid(geteuid());  // NOLINT(concurrency-mt-unsafe)
    const std::string user = self != nullptr ? self->pw_name : std::to_string(geteuid());
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", status->st_mode & 07777U);
    return "it is " + whose + "'s and group " + whose_group + "'s (" + mode.data() +
           "); the administrator gives it to you with: setfacl -m u:" + user + ":rw " +
           shown(path) + " (and for good with a rule of udev's)";
}

}  // namespace tapgate
