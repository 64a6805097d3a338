// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tap devices as the kernel's tun driver makes them (Documentation/networking/tuntap.rst), in the
// network namespace of the process that opens /dev/net/tun. One that is made here goes when the
// last descriptor of it is closed: it is never made persistent.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// /dev/net/tun, opened: what will be a queue of a tap. Throws Failure.
UniqueFd open_tun();

/// Makes `tun` the one queue of a new tap called `name`, down. It has no owner yet, but is nobody's
/// either: a tap of one queue is not to be attached to while that is there. False: there is a link
/// called `name`. Needs CAP_NET_ADMIN. Throws Failure.
bool make_tap(const UniqueFd& tun, const std::string& name, bool vnet_header);

/// Lets `owner` attach to the tap of `tun`. Needs CAP_NET_ADMIN. Throws Failure.
void set_owner(const UniqueFd& tun, uid_t owner);

/// A new tap called `name` of `queues` queues, down, one descriptor a queue. Where the namespace is
/// not one's own alone, others could attach to it: it has no owner. Needs CAP_NET_ADMIN. Throws
/// Failure.
std::vector<UniqueFd> make_private_tap(const std::string& name, bool vnet_header, unsigned queues);

/// Removes the tap called `name` if nobody has it open, though it was made persistent. Asks the
/// kernel, not the tap's carrier, which whoever holds it can turn off: a tap of one queue cannot be
/// attached to while it is in use. False: it is in use, or no tap of one queue.
bool remove_unused_tap(const std::string& name);

}  // namespace tapgate
