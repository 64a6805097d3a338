// SPDX-License-Identifier: GPL-2.0-or-later
//
// What this host has left of memory and of room on its disks.
#ifndef TAPGATE_LAUNCHER_BASE_HOST_RESOURCES_H
#define TAPGATE_LAUNCHER_BASE_HOST_RESOURCES_H

#include <cstdint>
#include <string>

namespace tapgate {

struct DiskFacts {
    std::string path;
    int error = 0;                     ///< the errno of opening it as the VM would; 0: it opens
    std::uint64_t free_mebibytes = 0;  ///< of its file system
};

/// Memory that can be had without swapping, in MiB.
std::uint64_t memory_available();

/// The room where `path` is. `error`: what opening it failed with; then that is the answer.
DiskFacts disk_space(const std::string& path, int error = 0);

/// The room where the VMs' own images grow.
DiskFacts data_disk();

}  // namespace tapgate

#endif
