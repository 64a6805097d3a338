// SPDX-License-Identifier: GPL-2.0-or-later
//
// What must be checked or made before a VM can start, and is not up to a pure function.
#pragma once

#include <string>
#include <vector>

#include "launcher/qemu/argv.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Checks the images, the file of the VNC password and what `nested=on` needs; makes the UEFI
/// variables if there are none, and the seed of a VM with seed=on. To be called between
/// host_facts() and qemu_argv(), with the VM's lock held. Returns what the user should know. Throws
/// a LauncherError.
std::vector<std::string> prepare_files(const VmSpec& spec, const HostFacts& host);

/// The part of it that is about the directories that the guest can mount.
void check_shares(const VmSpec& spec);

/// The part of it that is about disks and CDs. Also for one that a running VM gets; `spec` then has
/// only that one.
std::vector<std::string> check_drives(const VmSpec& spec);

}  // namespace tapgate
