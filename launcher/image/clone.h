// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clones: VMs that start as another one is, the base, and keep only what differs from it.
#pragma once

#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Makes the VM `name`, a clone of `base`: a VM file with the settings of base's file, less what
/// two VMs cannot share (MAC addresses, fixed ports of the host); for each disk that the guest
/// writes to an overlay in the VM's data directory, with a record of what it stands on
/// (base_image.h); and a copy of the UEFI variables. Those of `overriding` (no disks) take the
/// place of base's settings that have the same key. The base's images lose their write permission.
/// `heading`: lines that the VM file begins with.
///
/// `progress` is told how far the first clone of a base is with reading it all, once that takes
/// longer than a second. Returns what the user should know, a line each. Throws a LauncherError;
/// then nothing is left: when the name is taken, base runs or names an image that no overlay can
/// stand on, the disk is full, or one of SIGINT, SIGTERM and SIGHUP came.
std::vector<std::string> clone_vm(const VmName& base, const VmName& name,
                                  const std::vector<Setting>& overriding,
                                  const Progress& progress = {}, const std::string& heading = {});

/// Throws a LauncherError unless the VM is a clone, and not itself a base.
void require_resettable(const VmName& name);

/// Gives up what the clone has written: its overlays are exchanged for empty ones, its UEFI
/// variables for base's, and what ssh knows of its guest is forgotten. Each file is the old or the
/// new one at any time; when it fails in the middle, doing it again does the rest. A base that has
/// changed is taken as it is now. Returns what the user should know. Throws a LauncherError, also
/// when the VM runs, or is not a clone.
std::vector<std::string> reset_to_base(const VmName& name, const Progress& progress = {});

/// What comparing a clone's base with what it was has shown.
struct BaseVerdict {
    std::string path;
    bool same = false;  ///< the content, whatever its time and inode
};

/// Reads each file that the clone stands on, and compares its SHA-256 with the one in the clone's
/// records. Where only the time or the inode is another one, as after a restored backup, the record
/// is brought up to date. Empty when the VM is not a clone. Throws a LauncherError.
std::vector<BaseVerdict> verify_bases(const VmName& name, const Progress& progress = {});

}  // namespace tapgate
