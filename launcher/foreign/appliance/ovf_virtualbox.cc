// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_virtualbox.h"

#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

pugi::xml_node hardware_of(const pugi::xml_node& system) {
    return child_named(child_named(system, "Machine"), "Hardware");
}

// "080027E792B6" as 08:00:27:E7:92:B6; any other text as it is.
std::string with_colons(const std::string& text) {
    constexpr size_t digits = 12;
    if (text.size() != digits)
        return text;
    std::string mac;
    for (size_t i = 0; i < digits; i += 2)
        mac.append(mac.empty() ? "" : ":").append(text, i, 2);
    return mac;
}

}  // namespace

std::vector<VirtualBoxAdapter> virtualbox_adapters(const pugi::xml_node& system) {
    std::vector<VirtualBoxAdapter> adapters;
    for (const pugi::xml_node& one : child_named(hardware_of(system), "Network").children()) {
        if (local_name(one.name()) == "Adapter" && attribute_of(one, "enabled") == "true")
            adapters.push_back({.mac = with_colons(attribute_of(one, "MACAddress")),
                                .cable = attribute_of(one, "cable") != "false"});
    }
    return adapters;
}

void read_virtualbox_clock(const pugi::xml_node& system, Translation& translation) {
    const pugi::xml_node clock = child_named(hardware_of(system), "RTC");
    if (attribute_of(clock, "localOrUTC") == "local")
        translation.keep(tag_of(clock), {"-rtc", "base=localtime"});
}

}  // namespace tapgate
