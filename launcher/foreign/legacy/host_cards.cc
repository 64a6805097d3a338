// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

Properties device_of_id(const LegacyParts& parts, const std::string& id) {
    const auto found =
        std::find_if(parts.devices.begin(), parts.devices.end(), [&](const LegacyDevice& device) {
            return !id.empty() && device.properties.get("id") == id;
        });
    return found == parts.devices.end() ? Properties() : found->properties;
}

// Proxmox defines the first of its ports in a separate file (-readconfig).
bool is_port(const std::string& bus, const Properties& device) {
    const std::string driver = device.get("driver");
    return driver == "pcie-root-port" || driver == "ioh3420" || bus.starts_with("ich9-pcie-port-");
}

}  // namespace

std::vector<std::string> place_host_card(LegacyParts& parts, const Properties& before,
                                         Properties& card) {
    const std::string bus = before.get("bus");
    const std::string address = before.get("addr");
    const size_t function = std::min(address.find('.'), address.size());
    const Properties old_port = device_of_id(parts, bus);
    const bool on_port = is_port(bus, old_port);
    if (!parts.machine.q35 || !card.get("driver").starts_with("vfio-pci") ||
        (!on_port && function == address.size()))
        return {};
    std::vector<std::string> port =
        place_on_port(parts.machine, on_port ? bus : bus + " " + address.substr(0, function),
                      address.substr(function), on_port ? old_port : Properties(), card);
    if (before.has("multifunction"))
        card.set("multifunction", before.get("multifunction"));
    return port;
}

}  // namespace tapgate
