// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_virtualbox.h"

#include <cstdint>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

pugi::xml_node hardware_of(const pugi::xml_node& system) {
    return child_named(child_named(system, "Machine"), "Hardware");
}

// <Forwarding name="ssh" proto="1" hostip="" hostport="2222" guestip="" guestport="22"/>; empty if
// it forwards nothing.
std::string forward_of(const pugi::xml_node& rule) {
    const std::string host = attribute_of(rule, "hostport");
    const std::string guest = attribute_of(rule, "guestport");
    std::string address = attribute_of(rule, "hostip");
    if (!parse_whole<std::uint16_t>(host, 1) || !parse_whole<std::uint16_t>(guest, 1))
        return {};
    // A port that was open to all is only open to this host, as with other imported VMs.
    if (address.empty() || address == "0.0.0.0")
        address = "127.0.0.1";
    return (attribute_of(rule, "proto") == "0" ? "udp:" : "tcp:") + address + ":" + host +
           "-:" + guest;
}

void read_nat(const pugi::xml_node& nat, VirtualBoxAdapter& adapter) {
    adapter.nat = static_cast<bool>(nat);
    for (const pugi::xml_node& rule : nat.children()) {
        if (local_name(rule.name()) != "Forwarding")
            continue;
        std::string forward = forward_of(rule);
        if (forward.empty() || !attribute_of(rule, "guestip").empty())
            adapter.left += (adapter.left.empty() ? "" : ", ") + tag_of(rule);
        else
            adapter.forwards.push_back(std::move(forward));
    }
}

}  // namespace

std::vector<VirtualBoxAdapter> virtualbox_adapters(const pugi::xml_node& system) {
    std::vector<VirtualBoxAdapter> adapters;
    for (const pugi::xml_node& one : child_named(hardware_of(system), "Network").children()) {
        if (local_name(one.name()) != "Adapter" || attribute_of(one, "enabled") != "true")
            continue;
        VirtualBoxAdapter adapter{.mac = attribute_of(one, "MACAddress"),
                                  .cable = attribute_of(one, "cable") != "false",
                                  .type = attribute_of(one, "type")};
        read_nat(child_named(one, "NAT"), adapter);
        adapters.push_back(std::move(adapter));
    }
    return adapters;
}

void read_virtualbox_clock(const pugi::xml_node& system, Translation& translation) {
    const pugi::xml_node clock = child_named(hardware_of(system), "RTC");
    if (attribute_of(clock, "localOrUTC") == "local")
        translation.keep(tag_of(clock), {"-rtc", "base=localtime"});
}

}  // namespace tapgate
