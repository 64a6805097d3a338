// SPDX-License-Identifier: GPL-2.0-or-later
//
// How much memory and disk space this host has left.
#pragma once

#include <cstdint>
#include <string>

namespace tapgate {

struct DiskFacts {
    std::string path;
    int error = 0;                     ///< errno of opening it as the VM would; 0: that works
    std::uint64_t free_mebibytes = 0;  ///< on its file system
    bool is_device = false;            ///< a block device, which has no file system to fill
    std::string mounted_on = {};       ///< where the host has mounted it, if the guest writes to it
    std::string permission = {};       ///< device_permission(), if it is a device and does not open
};

/// The free space where `path` is. `error` is the errno of opening it; if not 0, only that counts.
DiskFacts disk_space(const std::string& path, int error = 0);

/// The mount point of the file system that contains `path`.
std::string mount_point_of(const std::string& path);

/// The free space where the VMs' own images grow.
DiskFacts data_disk();

}  // namespace tapgate
