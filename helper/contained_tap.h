// SPDX-License-Identifier: GPL-2.0-or-later
//
// A tap that its holder cannot abuse. It lives in a user and network namespace of its own, and a
// veth pair is the only way out. The holder can change the tap's MAC address, carrier, owner and
// queues, and anything else in the namespace, which belongs to his uid; but all that ends at the
// inner end of the pair. The port of the host's bridge is the outer end, out of his reach.
//
//     tap === leaf bridge === inner end | outer end === the host's bridge
//     '----- private namespace ---------'
//
// No process runs in the namespace, but the caller may enter it at any moment (since Linux 6.18
// even before he has the tap). The tap's descriptors keep it alive. When the last of them is
// closed, the namespace goes, and the outer end with it: even if the holder has made the tap
// persistent, and whenever this process is killed. (Only something that the holder adds can keep
// the namespace, with the outer end in its slot: a descriptor of it, or a connection that the
// kernel has yet to close.)
#pragma once

#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "helper/link.h"

namespace tapgate {

/// A namespace, and what a tap is to be made of there.
struct ContainedTap {
    LinkSocket inside;             ///< for the links in the namespace
    std::vector<UniqueFd> queues;  ///< tun_device, opened once for each queue; no tap yet
};

/// Makes the namespace and opens tun_device there, `queues` times. Throws Failure, also when the
/// host forbids such namespaces.
ContainedTap make_namespace(unsigned queues);

/// Turns the host's IPv6 off on the outer end, called `name`, which is down. (put_no_ipv4() in
/// link.cc says why.) Throws Failure.
void keep_ipv6_off(const std::string& name);

}  // namespace tapgate
