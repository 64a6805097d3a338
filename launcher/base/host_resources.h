// SPDX-License-Identifier: GPL-2.0-or-later
//
// What this host has left of memory and of room on its disks.
#pragma once

#include <cstdint>
#include <string>

namespace tapgate {

struct DiskFacts {
    std::string path;
    int error = 0;                     ///< the errno of opening it as the VM would; 0: it opens
    std::uint64_t free_mebibytes = 0;  ///< of its file system
    bool is_device = false;            ///< a block device, which has no file system to fill
    std::string mounted_on = {};       ///< where the host has it mounted, though the guest writes
    std::string permission = {};       ///< of a device that does not open: device_permission()
};

/// The room where `path` is. `error`: what opening it failed with; then that is the answer.
DiskFacts disk_space(const std::string& path, int error = 0);

/// Where the file system is mounted that `path` is in.
std::string mount_point_of(const std::string& path);

/// The room where the VMs' own images grow.
DiskFacts data_disk();

}  // namespace tapgate
