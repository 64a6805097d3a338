// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/host_resources.h"

#include <sys/statvfs.h>

#include <cerrno>

#include "launcher/base/directories.h"
#include "launcher/base/files.h"
#include "launcher/base/memory.h"

namespace tapgate {

std::uint64_t memory_available() {
    return memory().available;
}

DiskFacts disk_space(const std::string& path, int error) {
    struct statvfs system {};
    if (error == 0 && statvfs(path.c_str(), &system) != 0)
        error = errno;
    return {
        .path = path, .error = error, .free_mebibytes = system.f_bavail * system.f_frsize >> 20};
}

DiskFacts data_disk() {
    // The part of the path that is there already.
    std::string path = data_directory();
    while (!exists(path) && path.rfind('/') > 0)
        path.resize(path.rfind('/'));
    return disk_space(path);
}

}  // namespace tapgate
