// SPDX-License-Identifier: GPL-2.0-or-later
//
// Snapshots that are kept inside a VM's qcow2 images, under a tag: of a VM that is off its disks
// and UEFI variables, of one that runs its RAM, too. (Not to be confused with `snapshot=on', which
// throws away what the guest writes.)
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

struct Snapshot {
    std::string tag;
    std::int64_t date = 0;     ///< seconds since 1970
    std::uint64_t ram = 0;     ///< bytes of the guest's RAM and devices; 0: it was off
    bool on_all_disks = true;  ///< false: one was made, or lost, behind tapgate's back
};

/// The VM's, the oldest first. Throws a LauncherError.
std::vector<Snapshot> snapshots_of(const VmName& name);

/// Each of these works on all disks that the guest writes to, or on none. A guest that runs stands
/// still meanwhile, up to `limit`. They throw a LauncherError: when a disk cannot have snapshots
/// (raw), when the tag is there already or is not there, when the VM is the base of clones.
void save_snapshot(const VmName& name, const std::string& tag, std::chrono::milliseconds limit);

/// Of a VM that runs only what was saved while it ran, and the other way round.
void restore_snapshot(const VmName& name, const std::string& tag, std::chrono::milliseconds limit);

void delete_snapshot(const VmName& name, const std::string& tag, std::chrono::milliseconds limit);

}  // namespace tapgate
