// SPDX-License-Identifier: GPL-2.0-or-later
//
// The VM file in an archive that `tapgate export` has made: the VM as it was, and its disks members
// of the archive. Somebody else may have written it: what in it reaches beyond the VM is told
// apart.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/appliance/ovf_disks.h"
#include "launcher/vm/setting.h"

namespace tapgate {

struct ArchivedVm {
    /// Keys and values, without disks; paths are absolute.
    std::vector<std::pair<std::string, std::string>> settings;
    std::vector<ApplianceDisk> disks;          ///< in their order
    std::vector<std::string> disk_properties;  ///< of each: "bus=scsi,serial=S1"; may be empty
};

/// The text of a VM file for an archive: `settings` with their paths made absolute, but for the
/// disks of `files`, one for each setting "disk": a member's name with its format, or empty: left
/// out. Throws a LauncherError when a value cannot stand in a line.
std::string archived_vm_text(const VmName& name, const std::vector<Setting>& settings,
                             const std::vector<std::string>& files);

/// Reads it back; errors name `source`. Throws a LauncherError for what is no description of a VM,
/// and for a disk that is no qcow2 or vmdk image in the archive.
ArchivedVm read_archived_vm(const std::string& text, const std::string& source);

/// Whether the setting makes the VM open files of its host, take QEMU's own arguments, lead the
/// host's ports to it, or ask for another host: nobody but its new owner can want that.
bool reaches_beyond_vm(const std::string& key, const std::string& value);

}  // namespace tapgate
