// SPDX-License-Identifier: GPL-2.0-or-later
//
// The part of QEMU's command line that is about disks and CD-ROMs.
#ifndef TAPGATE_LAUNCHER_QEMU_ARGV_DRIVES_H
#define TAPGATE_LAUNCHER_QEMU_ARGV_DRIVES_H

#include <set>
#include <string>

#include "launcher/qemu/argv_writer.h"

namespace tapgate {

/// Those of the VM's disks and CD-ROMs that are no files.
struct HostDevices {
    std::set<std::string> block_devices;
    std::set<std::string> cd_drives;  ///< of these the drives
};

/// Writes the VM's disks and CD-ROMs, the controllers that they need, and the images below them.
/// There has to be an I/O thread called "io0".
void add_drives(ArgvWriter& argv, const VmSpec& spec, const HostDevices& devices);

}  // namespace tapgate

#endif
