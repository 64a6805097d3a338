// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the launcher finds out about the host.
#pragma once

#include "launcher/qemu/argv.h"
#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What the command line needs to know about this host. An empty `helper` means the installed one.
/// Throws a LauncherError when there is no QEMU, or no KVM and the VM insists on it.
HostFacts host_facts(const VmSpec& spec, const std::string& helper = {});

/// The descriptors that QEMU will inherit for a VM's adapters on bridges, counted from 3; with
/// `vhost`, including those of vhost-net.
VmFds planned_fds(const VmSpec& spec, bool vhost);

/// Whether vhost-net can be opened. Does not keep it open.
bool has_vhost();

/// What MAC addresses and UUIDs of this user's VMs on this host are derived from. Throws a
/// LauncherError.
Owner vm_owner();

}  // namespace tapgate
