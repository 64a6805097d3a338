// SPDX-License-Identifier: GPL-2.0-or-later
//
// The part of QEMU's command line that describes disks and CD-ROMs.
#pragma once

#include <set>
#include <string>

#include "launcher/qemu/argv_writer.h"

namespace tapgate {

/// Those of the VM's disks and CD-ROMs that are devices, not files.
struct HostDevices {
    std::set<std::string> block_devices;
    std::set<std::string> cd_drives;  ///< those of the above that are drives
};

/// What -blockdev and blockdev-add take for a disk's image: a node for the file, "NODE-file", and
/// above it one for the image, NODE.
struct DiskNodes {  // NOLINT(bugprone-exception-escape): JSON's own moves do not throw
    ArgvJson file;
    ArgvJson image;
};
DiskNodes disk_nodes(const Disk& disk, const std::string& node, const HostDevices& devices);

/// Completes what -device and device_add take for a disk, which already has its driver and its
/// place: its id, the image "ID-image", and what the guest is told about it.
void complete_disk_device(ArgvJson& device, const Disk& disk, const std::string& id);

/// Writes the VM's disks and CD-ROMs, with the controllers that they need and the images below
/// them.
void add_drives(ArgvWriter& argv, const VmSpec& spec, const HostDevices& devices);

}  // namespace tapgate
