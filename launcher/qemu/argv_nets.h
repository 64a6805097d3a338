// SPDX-License-Identifier: GPL-2.0-or-later
//
// The part of QEMU's command line, and of QMP, that describes network adapters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/qemu/argv_writer.h"

namespace tapgate {

/// How QEMU is told about a tap's descriptors, with a word for each queue: its number, or the name
/// that `getfd` gave it. Without vhost, `vhosts` is empty.
struct TapWords {
    std::vector<std::string> taps;
    std::vector<std::string> vhosts;
};

/// What -netdev and netdev_add take for a tap.
ArgvJson tap_netdev(const std::string& id, const TapWords& words);

/// What -netdev and netdev_add take for QEMU's own NAT.
ArgvJson user_netdev(const std::string& id, const UserNet& user);

/// What -device and device_add take for the adapter `id` on `netdev`. On a bridge it has as many
/// queues as `net` says, and the bridge's `mtu` if that is known.
ArgvJson net_device(const Net& net, const std::string& id, const std::string& netdev,
                    const MacAddress& mac, std::optional<unsigned> mtu);

}  // namespace tapgate
