// SPDX-License-Identifier: GPL-2.0-or-later
//
// The VM file in an archive that `tapgate export` has made: the VM as it was, with its disks as
// members of the archive. Somebody else may have written it, so settings that reach beyond the VM
// are recognized.
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
    std::vector<std::string> disk_properties;  ///< each disk's: "bus=scsi,serial=S1"; may be empty
};

/// The text of a VM file for an archive: `settings` with absolute paths. `files` has an entry for
/// each "disk": a member's name with its format, or an empty string, which leaves that disk out.
/// Throws a LauncherError when a value cannot be written in one line.
std::string archived_vm_text(const VmName& name, const std::vector<Setting>& settings,
                             const std::vector<std::string>& files);

/// Reads it back; errors call it `source`. Throws a LauncherError for what does not describe a VM,
/// and for a disk that is not a qcow2 or vmdk image in the archive.
ArchivedVm read_archived_vm(const std::string& text, const std::string& source);

/// Whether the setting makes the VM open files of its host, gives arguments to QEMU, forwards the
/// host's ports to the VM, or asks for another host: only its new owner should decide about these.
bool reaches_beyond_vm(const std::string& key, const std::string& value);

}  // namespace tapgate
