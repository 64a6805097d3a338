// SPDX-License-Identifier: GPL-2.0-or-later
//
// The network of a QEMU command line: -net with and without vlan=, -netdev with a -device, -nic.
#ifndef TAPGATE_LAUNCHER_LEGACY_NETS_H
#define TAPGATE_LAUNCHER_LEGACY_NETS_H

#include <string>
#include <vector>

#include "launcher/foreign/legacy_disks.h"
#include "launcher/foreign/legacy_options.h"
#include "launcher/foreign/translation.h"

namespace tapgate {

/// One end of a wire: the guest's adapter, or what the host has for it.
struct NetEnd {
    std::string was;
    Properties properties;
    std::string kind;  ///< of the host's end: "tap", "user"; of an adapter: its model, or empty
    std::string wire;  ///< what the two ends share: "vlan 0", or an id
};

struct LegacyNets {
    std::vector<NetEnd> adapters;
    std::vector<NetEnd> hosts;
    /// Properties of the first user network, and the option that said them (-redir, -tftp).
    std::vector<std::pair<std::string, std::string>> user_options;
    std::string none_was;  ///< -net none, as it was written; empty: not said
    bool defaults = true;  ///< no -nodefaults
    bool partial = false;  ///< of a part of a command line, which says nothing by silence
};

/// -net, -netdev, -nic.
void add_net(LegacyNets& nets, const std::string& value, const std::string& was);
void add_netdev(LegacyNets& nets, const std::string& value, const std::string& was);
void add_nic(LegacyNets& nets, const std::string& value, const std::string& was);

/// Adds the adapters to `result`, with a note for each; marks the devices that belong to them.
void translate_nets(LegacyNets nets, std::vector<LegacyDevice>& devices, Translation& result);

}  // namespace tapgate

#endif
