// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_virtualbox.h"

#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

pugi::xml_node hardware_of(const pugi::xml_node& system) {
    return child_named(child_named(system, "Machine"), "Hardware");
}

}  // namespace

std::vector<VirtualBoxAdapter> virtualbox_adapters(const pugi::xml_node& system) {
    std::vector<VirtualBoxAdapter> adapters;
    for (const pugi::xml_node& one : child_named(hardware_of(system), "Network").children()) {
        if (local_name(one.name()) == "Adapter" && attribute_of(one, "enabled") == "true")
            adapters.push_back({.mac = attribute_of(one, "MACAddress"),
                                .cable = attribute_of(one, "cable") != "false",
                                .type = attribute_of(one, "type")});
    }
    return adapters;
}

void read_virtualbox_clock(const pugi::xml_node& system, Translation& translation) {
    const pugi::xml_node clock = child_named(hardware_of(system), "RTC");
    if (attribute_of(clock, "localOrUTC") == "local")
        translation.keep(tag_of(clock), {"-rtc", "base=localtime"});
}

}  // namespace tapgate
