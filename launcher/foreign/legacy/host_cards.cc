// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// tapgate's own ports have the chassis below it.
constexpr size_t first_chassis = 100;

Properties device_of_id(const LegacyParts& parts, const std::string& id) {
    const auto found =
        std::find_if(parts.devices.begin(), parts.devices.end(), [&](const LegacyDevice& device) {
            return !id.empty() && device.properties.get("id") == id;
        });
    return found == parts.devices.end() ? Properties() : found->properties;
}

// Proxmox has the first of its ports in a file of its own (-readconfig).
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
    const size_t number = parts.card_ports.size();
    const auto [port, is_new] =
        parts.card_ports.try_emplace(on_port ? bus : bus + " " + address.substr(0, function),
                                     "keptport" + std::to_string(number));
    card.set("bus", port->second);
    card.set("addr", "0x0" + address.substr(function));
    if (before.has("multifunction"))
        card.set("multifunction", before.get("multifunction"));
    if (!is_new)
        return {};
    Properties device;
    device.set("driver", "pcie-root-port");
    device.set("id", port->second);
    device.set("chassis", std::to_string(first_chassis + number));
    for (const char* const speed : {"x-speed", "x-width"}) {
        if (on_port && old_port.has(speed))
            device.set(speed, old_port.get(speed));
    }
    return {"-device", device.str("driver")};
}

}  // namespace tapgate
