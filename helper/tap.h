// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tap devices as the kernel's tun driver makes them (Documentation/networking/tuntap.rst), in the
// network namespace of the process that opens /dev/net/tun. One that is made here goes when the
// last descriptor of it is closed: it is never made persistent.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>

#include "common/unique_fd.h"

namespace tapgate {

constexpr const char* tun_device = "/dev/net/tun";

/// tun_device, opened: what will be a queue of a tap. Throws Failure.
UniqueFd open_tun();

/// Throws the Failure of an open() of tun_device.
[[noreturn]] void fail_to_open_tun(int error_number);

/// Makes `tun` the one queue of a new tap called `name`, down. It has no owner yet, but is nobody's
/// either: a tap of one queue is not to be attached to while that is there. False: there is a link
/// called `name`. Needs CAP_NET_ADMIN. Throws Failure.
bool make_tap(const UniqueFd& tun, const std::string& name, bool vnet_header);

/// Lets `owner` attach to the tap of `tun`. Needs CAP_NET_ADMIN. Throws Failure.
void set_owner(const UniqueFd& tun, uid_t owner);

/// Makes `queues` (of open_tun(), say) the queues of a new tap called `name`, down. Where the
/// namespace is not one's own alone, others could attach to it: it has no owner. Needs
/// CAP_NET_ADMIN. Throws Failure.
void make_private_tap(std::span<const UniqueFd> queues, const std::string& name, bool vnet_header);

/// Removes the tap called `name` if nobody has it open, though it was made persistent. Asks the
/// kernel, not the tap's carrier, which whoever holds it can turn off: a tap of one queue cannot be
/// attached to while it is in use. False: it is in use, or no tap of one queue.
bool remove_unused_tap(const std::string& name);

}  // namespace tapgate
