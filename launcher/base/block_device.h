// SPDX-License-Identifier: GPL-2.0-or-later
//
// Block devices: logical volumes, loop devices, partitions, CD-ROM drives. They can be guests'
// disks as files can, but QEMU opens them with other drivers, and the host may use them itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tapgate {

/// Whether `path` is a block device. Links are followed, such as those in /dev/VG and
/// /dev/disk/by-id.
bool is_block_device(const std::string& path);

/// Whether it is a drive for optical discs.
bool is_cd_drive(const std::string& path);

/// Its size in bytes; nothing when it cannot be opened for reading.
std::optional<std::uint64_t> block_device_size(const std::string& path);

/// How the host itself uses a block device.
struct DeviceUse {
    std::string mounted_on;  ///< where it or a partition of it is mounted; "swap"; empty: nowhere
    std::string holder;      ///< the host's device that is built on it ("dm-3"); empty: none
};
DeviceUse use_of_device(const std::string& path);

/// Who may open the device, and what the administrator can do about it, as a part of a line:
/// "it is root's and group disk's (0660); as root: setfacl -m u:ada:rw /dev/vg/x".
std::string device_permission(const std::string& path);

}  // namespace tapgate
