// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/argv_nets.h"

#include <stdexcept>
#include <string_view>

namespace tapgate {

namespace {

std::string_view driver_of(NetModel model) {
    switch (model) {
        case NetModel::virtio:
            return "virtio-net-pci";
        case NetModel::e1000:
            return "e1000";
        case NetModel::e1000e:
            return "e1000e";
        case NetModel::rtl8139:
            return "rtl8139";
    }
    throw std::logic_error("a network adapter without a driver");
}

// "3:4:5", the form of fds=.
std::string fd_list(const std::vector<std::string>& fds) {
    std::string text;
    for (const std::string& fd : fds)
        text += (text.empty() ? "" : ":") + fd;
    return text;
}

}  // namespace

ArgvJson tap_netdev(const std::string& id, const TapWords& words) {
    const bool multiqueue = words.taps.size() > 1;
    ArgvJson netdev = {
        {"type", "tap"}, {"id", id}, {multiqueue ? "fds" : "fd", fd_list(words.taps)}};
    if (!words.vhosts.empty()) {
        netdev["vhost"] = true;
        netdev[multiqueue ? "vhostfds" : "vhostfd"] = fd_list(words.vhosts);
    }
    return netdev;
}

ArgvJson user_netdev(const std::string& id, const UserNet& user) {
    ArgvJson netdev = {{"type", "user"}, {"id", id}};
    for (const HostForward& forward : user.forwards)
        netdev["hostfwd"].push_back({{"str", forward.str()}});
    return netdev;
}

ArgvJson net_device(const Net& net, const std::string& id, const std::string& netdev,
                    const MacAddress& mac, std::optional<unsigned> mtu) {
    ArgvJson device = {
        {"driver", driver_of(net.model)}, {"netdev", netdev}, {"id", id}, {"mac", mac.str()}};
    if (net.slot)
        device["addr"] = pci_address(*net.slot, 0);
    const auto* const bridged = std::get_if<BridgeNet>(&net.link);
    if (bridged == nullptr)
        return device;
    if (net.model == NetModel::virtio && mtu)
        device["host_mtu"] = *mtu;
    if (bridged->queues > 1) {
        device["mq"] = true;
        // Two for each queue (receiving and sending), one for control and one for configuration.
        device["vectors"] = 2 * bridged->queues + 2;
    }
    return device;
}

}  // namespace tapgate
