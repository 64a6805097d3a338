// SPDX-License-Identifier: GPL-2.0-or-later
//
// The part of QEMU's command line that is about network adapters, which is QMP's, too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/qemu/argv_writer.h"

namespace tapgate {

/// A tap's descriptors as QEMU is told of them, a word for each queue: numbers, or names that
/// `getfd` gave; without vhost none of the latter.
struct TapWords {
    std::vector<std::string> taps;
    std::vector<std::string> vhosts;
};

/// What -netdev and netdev_add take for a tap.
ArgvJson tap_netdev(const std::string& id, const TapWords& words);

/// What they take for QEMU's own NAT.
ArgvJson user_netdev(const std::string& id, const UserNet& user);

/// What -device and device_add take for the adapter `id` on `netdev`; on a bridge with so many
/// queues as that has, and with its MTU, where that is known.
ArgvJson net_device(const Net& net, const std::string& id, const std::string& netdev,
                    const MacAddress& mac, std::optional<unsigned> mtu);

}  // namespace tapgate
