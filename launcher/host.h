// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the launcher finds on the host.
#ifndef TAPGATE_LAUNCHER_HOST_H
#define TAPGATE_LAUNCHER_HOST_H

#include "launcher/qemu_argv.h"
#include "launcher/vm_spec.h"

namespace tapgate {

/// What the command line needs to know of this host.
HostFacts host_facts(const VmSpec& spec);

/// The descriptors that a VM's adapters on bridges are going to have, counted from 3 on, vhost's
/// where /dev/vhost-net can be opened. Nothing is opened for good.
VmFds planned_fds(const VmSpec& spec);

}  // namespace tapgate

#endif
