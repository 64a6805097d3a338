// SPDX-License-Identifier: GPL-2.0-or-later
//
// A tap that its holder cannot abuse: it lives in a user and network namespace of its own, which it
// leaves by a veth pair only. What its holder can do to it (its MAC address, carrier, owner and
// queues are his, and the namespace too, which belongs to his uid) ends at the inner end of that
// pair. The port of the host's bridge is the outer end, which he cannot so much as name.
//
//     tap === leaf bridge === inner end | outer end === the host's bridge
//     '----- private namespace ---------'
//
// The namespace has no process in it, but it is the caller's, who may enter it at any moment (since
// Linux 6.18 also before he has the tap). The descriptors of the tap keep it alive, and it
// goes with the last of them, the outer end with it, also when its holder made the tap persistent,
// and when this process is killed at any moment. (What its holder adds there can keep it, and the
// outer end in its slot: a descriptor of it, or a connection that the kernel has yet to end.)
#pragma once

#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "helper/link.h"

namespace tapgate {

/// The namespace of a tap, and what it is made from there.
struct ContainedTap {
    LinkSocket inside;             ///< the links of the namespace
    std::vector<UniqueFd> queues;  ///< of tun_device, one a queue of the tap that is not made yet
};

/// Makes the namespace, and opens tun_device there. Throws Failure, also when the host forbids such
/// namespaces.
ContainedTap make_namespace(unsigned queues);

/// Keeps the host's IPv6 off the outer end, called `name`, which is down (put_no_ipv4() in link.cc
/// tells why). Throws Failure.
void keep_ipv6_off(const std::string& name);

}  // namespace tapgate
