// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the launcher finds on the host.
#pragma once

#include "launcher/qemu/argv.h"
#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What the command line needs to know of this host. `helper`: empty is the installed one. Throws a
/// LauncherError where there is no QEMU, or no KVM and the VM insists on it.
HostFacts host_facts(const VmSpec& spec, const std::string& helper = {});

/// The descriptors that QEMU is going to inherit for a VM's adapters on bridges, counted from 3 on;
/// `vhost`: also those of vhost-net.
VmFds planned_fds(const VmSpec& spec, bool vhost);

/// Whether vhost-net can be opened. It is not kept open.
bool has_vhost();

/// What addresses and UUIDs of this user's VMs on this host are made of. Throws a LauncherError.
Owner vm_owner();

}  // namespace tapgate
