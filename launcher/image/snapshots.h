// SPDX-License-Identifier: GPL-2.0-or-later
//
// Snapshots that are kept inside a VM's qcow2 images under a tag: of the disks and UEFI variables
// and, if the VM runs, of its RAM too. (Not to be confused with `snapshot=on`, which discards what
// the guest writes.)
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/names.h"
#include "launcher/image/snapshot.h"

namespace tapgate {

/// The VM's snapshots, the oldest first. Throws a LauncherError.
std::vector<Snapshot> snapshots_of(const VmName& name);

/// Each of these functions works on all disks that the guest writes to, or on none. A running guest
/// stands still meanwhile, for at most `limit`. They throw a LauncherError when a disk cannot have
/// snapshots (raw), when the tag exists already or does not exist, and when the VM is the base of
/// clones.
void save_snapshot(const VmName& name, const std::string& tag, std::chrono::milliseconds limit);

/// A running VM can only be restored to what was saved while it ran, and one that is off to what
/// was saved while it was off.
void restore_snapshot(const VmName& name, const std::string& tag, std::chrono::milliseconds limit);

void delete_snapshot(const VmName& name, const std::string& tag, std::chrono::milliseconds limit);

}  // namespace tapgate
