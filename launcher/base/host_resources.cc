// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/host_resources.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "launcher/base/directories.h"
#include "launcher/base/files.h"

namespace tapgate {

DiskFacts disk_space(const std::string& path, int error) {
    struct statvfs system {};
    if (error == 0 && statvfs(path.c_str(), &system) != 0)
        error = errno;
    return {
        .path = path, .error = error, .free_mebibytes = system.f_bavail * system.f_frsize >> 20};
}

std::string mount_point_of(const std::string& path) {
    std::string place = path;
    struct stat here {};
    if (place.empty() || place[0] != '/' || stat(place.c_str(), &here) != 0)
        return path;
    for (;;) {
        std::string above = place.substr(0, std::max<size_t>(place.rfind('/'), 1));
        struct stat status {};
        if (above == place || stat(above.c_str(), &status) != 0 || status.st_dev != here.st_dev)
            return place;
        place = std::move(above);
    }
}

DiskFacts data_disk() {
    // The part of the path that exists already.
    std::string path = data_directory();
    while (!exists(path) && path.rfind('/') > 0)
        path.resize(path.rfind('/'));
    return disk_space(path);
}

}  // namespace tapgate
