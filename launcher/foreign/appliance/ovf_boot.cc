// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_boot.h"

#include <string>
#include <string_view>

#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// The first entry for a disk or an adapter, since drives are empty here. `kind` says what an entry
// is for.
pugi::xml_node first_in(const pugi::xml_node& list, std::string_view disk, std::string_view net,
                        std::string (*kind)(const pugi::xml_node&)) {
    return list.find_child([&](const pugi::xml_node& child) {
        const std::string is = kind(child);
        return is == disk || is == net;
    });
}

// "disk" of <vmw:BootOrderSection vmw:instanceId="8" vmw:type="disk">
std::string kind_of_section(const pugi::xml_node& section) {
    return ovf_name(section) == "BootOrderSection" ? attribute_of(section, "type") : "";
}

// "HardDisk" of <Order position="1" device="HardDisk"/>
std::string kind_of_order(const pugi::xml_node& order) {
    return attribute_of(order, "device");
}

}  // namespace

OvfBoot read_ovf_boot(const pugi::xml_node& system) {
    OvfBoot boot;
    boot.disk = system.find_child(
        [](const pugi::xml_node& child) { return kind_of_section(child) == "disk"; });
    if (const pugi::xml_node first = first_in(system, "disk", "net", kind_of_section);
        first != boot.disk)
        boot.net = first;
    const pugi::xml_node orders =
        child_named(child_named(child_named(system, "Machine"), "Hardware"), "Boot");
    if (const pugi::xml_node first = first_in(orders, "HardDisk", "Network", kind_of_order);
        kind_of_order(first) == "Network")
        boot.net = first;
    return boot;
}

}  // namespace tapgate
