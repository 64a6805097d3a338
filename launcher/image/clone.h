// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clones: VMs that start as a copy of another VM, the base, and store only what differs from it.
#pragma once

#include <string>
#include <vector>

#include "common/names.h"
#include "launcher/base/progress_bar.h"
#include "launcher/vm/setting.h"

namespace tapgate {

/// Makes the VM `name`, a clone of `base`. The clone has:
///  - a VM file with the settings of the base's file, except what two VMs cannot share (MAC
///    addresses, fixed ports of the host); `overriding` (no disks) replaces those with the same
///    key; `heading` has lines for its beginning;
///  - for each disk that the guest writes to, an overlay in the VM's data directory, with a record
///    of what it depends on (base_image.h);
///  - a copy of the UEFI variables.
/// The base's images lose their write permission.
///
/// The first clone of a base reads all of it; `progress` is told how far that is, once it takes
/// longer than a second. Returns what the user should know, a line for each thing. Throws a
/// LauncherError, and leaves nothing behind, when the name is taken, when the base runs or has an
/// image that cannot have an overlay, when the disk is full, or when SIGINT, SIGTERM or SIGHUP
/// came.
std::vector<std::string> clone_vm(const VmName& base, const VmName& name,
                                  const std::vector<Setting>& overriding,
                                  const Progress& progress = {}, const std::string& heading = {});

/// Throws a LauncherError unless the VM is a clone and not itself a base.
void require_resettable(const VmName& name);

/// Discards what the clone has written: replaces its overlays by empty ones and its UEFI variables
/// by the base's, and forgets what ssh knows of its guest. At any time each file is either the old
/// or the new one; if it fails half way, doing it again does the rest. A base that has changed is
/// taken as it is now. Returns what the user should know. Throws a LauncherError, also when the VM
/// runs or is not a clone.
std::vector<std::string> reset_to_base(const VmName& name, const Progress& progress = {});

/// The result of comparing a file of a clone's base with its record.
struct BaseVerdict {
    std::string path;
    bool same = false;  ///< the content is the same, whatever its time and inode
};

/// Reads each file that the clone depends on, and compares its SHA-256 with the clone's records. If
/// only time or inode differ, as after a backup was restored, updates the record. Empty when the VM
/// is not a clone. Throws a LauncherError.
std::vector<BaseVerdict> verify_bases(const VmName& name, const Progress& progress = {});

}  // namespace tapgate
