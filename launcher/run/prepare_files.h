// SPDX-License-Identifier: GPL-2.0-or-later
//
// What has to be right, or made, before a VM can start, and no pure function can tell.
#pragma once

#include <string>
#include <vector>

#include "launcher/qemu/argv.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Checks the images, the VNC password's file and what `nested=on` needs, and makes the UEFI
/// variables where there are none, and the seed of a VM that says seed=on. Call it between
/// host_facts() and qemu_argv(), with the VM's lock held. Returns what the user should know; throws
/// a LauncherError.
std::vector<std::string> prepare_files(const VmSpec& spec, const HostFacts& host);

/// Of that what concerns the directories that the guest can mount.
void check_shares(const VmSpec& spec);

/// Of that what concerns the disks and CDs: also for one that a VM gets while it runs, of which
/// `spec` has that one only.
std::vector<std::string> check_drives(const VmSpec& spec);

}  // namespace tapgate
