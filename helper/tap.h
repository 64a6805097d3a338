// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tap devices, as the kernel's tun driver makes them (Documentation/networking/tuntap.rst) in the
// network namespace of the process that opened /dev/net/tun. A tap that is made here goes when its
// last descriptor is closed: it is never made persistent.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>

#include "common/unique_fd.h"

namespace tapgate {

constexpr const char* tun_device = "/dev/net/tun";

/// Opens tun_device, to make the descriptor a queue of a tap. Throws Failure.
UniqueFd open_tun();

/// Throws the Failure for an open() of tun_device that failed with `error_number`.
[[noreturn]] void fail_to_open_tun(int error_number);

/// Makes `tun` the only queue of a new tap called `name`, down. The tap has no owner yet, but
/// nobody can attach to it: a tap with a single queue is busy while that queue is open. Returns its
/// ifindex, or 0 when a link called `name`, or with that ifindex, exists already. Needs
/// CAP_NET_ADMIN. Throws Failure.
int make_tap(const UniqueFd& tun, const std::string& name, bool vnet_header);

/// Lets `owner` attach to the tap of `tun`. Needs CAP_NET_ADMIN. Throws Failure.
void set_owner(const UniqueFd& tun, uid_t owner);

/// Makes `queues`, descriptors of tun_device, the queues of a new tap called `name`, down. For a
/// namespace that nobody else uses: the tap has no owner, so others there could attach to it. Needs
/// CAP_NET_ADMIN. Throws Failure.
void make_private_tap(std::span<const UniqueFd> queues, const std::string& name, bool vnet_header);

/// Removes the tap called `name`, even a persistent one, if nobody has it open. Finds that out by
/// attaching to it, which fails while a tap with a single queue is in use; the carrier would not
/// tell, since the holder can turn it off. Returns false when the tap is in use, or is not a tap
/// with a single queue.
bool remove_unused_tap(const std::string& name);

}  // namespace tapgate
