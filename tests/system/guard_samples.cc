// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/guard_samples.h"

#include <cstddef>
#include <string_view>

#include "tests/system/packets.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

// An IPv4 packet with another value in one byte of its header.
std::string ipv4_with(std::size_t at, int value, std::string packet) {
    constexpr std::size_t type = 2;  // the EtherType's bytes, which are in front
    packet[type + at] = static_cast<char>(value);
    packet.replace(type + 10, 2, two(0));
    const auto words = static_cast<unsigned char>(packet[type]) & 15U;
    packet.replace(type + 10, 2, internet_checksum(packet.substr(type, std::size_t{4} * words)));
    return packet;
}

// The first fragment of more.
std::string ipv6_fragment(int next, const std::string& payload) {
    return bytes({next, 0, 0, 1, 0, 0, 0, 7}) + payload;
}

std::string llc(std::string_view to, const std::string& payload) {
    return ethernet(to, mac_a, two(payload.size()) + payload);
}
const std::string stp_llc = bytes({0x42, 0x42, 0x03});
// A packet as it is on other kinds of networks (RFC 1042), or behind a bridge to one (802.1H).
std::string snap(std::string_view to, const std::string& packet, int organization = 0) {
    return llc(to, bytes({0xaa, 0xaa, 0x03, 0x00, 0x00, organization}) + packet);
}
const std::string cisco = bytes({0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c});

}  // namespace

std::vector<GuardSample> guard_samples() {
    constexpr const char* multicast6 = "33:33:00:00:00:01";
    const std::string bpdu = make_bpdu(mac_a);
    const std::string body = bpdu.substr(17);  // behind addresses, length and LLC
    const auto on_wire = [](std::string_view to, const std::string& rest) {
        return ethernet(to, mac_a, rest);
    };
    return {
        {"STP", "switches", bpdu},
        {"RSTP", "switches", llc("01:80:c2:00:00:00", stp_llc + bytes({0, 0, 2, 2}) + body)},
        {"MSTP", "switches", llc("01:80:c2:00:00:00", stp_llc + bytes({0, 0, 3, 2}) + body)},
        {"STP of a provider's bridge", "switches", llc("01:80:c2:00:00:08", stp_llc + body)},
        {"PVST+", "switches", llc("01:00:0c:cc:cc:cd", cisco + two(0x010b) + body)},
        {"PVST+ with a tag", "switches",
         tagged(llc("01:00:0c:cc:cc:cd", cisco + two(0x010b) + body), 7)},
        {"a BPDU to everybody", "switches", llc(broadcast_mac, stp_llc + body)},
        {"a BPDU to a switch's own address", "switches", llc(router_mac, stp_llc + body)},
        {"a BPDU with a tag", "switches", tagged(llc(broadcast_mac, stp_llc + body), 7)},
        {"CDP, VTP, DTP", "switches", llc("01:00:0c:cc:cc:cc", cisco + two(0x2004) + "dtp")},
        {"UplinkFast", "switches", llc("01:00:0c:cd:cd:cd", cisco + two(0x200a) + "up")},
        {"GVRP", "switches", llc("01:80:c2:00:00:21", stp_llc + bytes({0, 1, 1}))},
        {"a DHCP offer", "dhcp_servers", on_wire(broadcast_mac, ipv4(17, udp(67, 68)))},
        {"a DHCP offer to one", "dhcp_servers", on_wire(router_mac, ipv4(17, udp(67, 68)))},
        {"a DHCP answer from another port", "dhcp_servers",
         on_wire(router_mac, ipv4(17, udp(4000, 68)))},
        {"a DHCP answer to a relay", "dhcp_servers", on_wire(router_mac, ipv4(17, udp(67, 67)))},
        {"a DHCP offer with a tag", "dhcp_servers",
         tagged(on_wire(broadcast_mac, ipv4(17, udp(67, 68))), 7)},
        // The ways in which clients that read whole frames may take what is no IP to the kernel.
        {"a DHCP offer of no length", "dhcp_servers",
         on_wire(broadcast_mac, ipv4_with(2, 0, ipv4_with(3, 0, ipv4(17, udp(67, 68)))))},
        {"a DHCP offer of less than a header", "dhcp_servers",
         on_wire(broadcast_mac, ipv4_with(3, 19, ipv4(17, udp(67, 68))))},
        {"a DHCP offer that says to be longer", "dhcp_servers",
         on_wire(broadcast_mac, ipv4_with(2, 4, ipv4(17, udp(67, 68))))},
        {"a DHCP offer of another version", "dhcp_servers",
         on_wire(broadcast_mac, ipv4_with(0, 0x65, ipv4(17, udp(67, 68))))},
        {"a DHCP offer with a short header", "dhcp_servers",
         on_wire(broadcast_mac, ipv4_with(0, 0x44, ipv4(17, udp(67, 68))))},
        {"a DHCP offer in a longer header", "dhcp_servers",
         on_wire(broadcast_mac, ipv4_with(0, 0x46, ipv4(17, std::string(4, '\1') + udp(67, 68))))},
        {"a DHCP offer that says to be a later fragment", "dhcp_servers",
         on_wire(broadcast_mac, ipv4(17, udp(67, 68), broadcast_ipv4, 1))},
        {"a DHCP answer from another port that says so", "dhcp_servers",
         on_wire(router_mac, ipv4(17, udp(4000, 68), broadcast_ipv4, 1))},
        {"a later fragment with a longer header", "dhcp_servers",
         on_wire(
             broadcast_mac,
             ipv4_with(0, 0x46, ipv4(17, std::string(4, '\1') + udp(67, 68), broadcast_ipv4, 1)))},
        {"a DHCP offer in SNAP", "hidden", snap(broadcast_mac, ipv4(17, udp(67, 68)))},
        {"a DHCP offer in 802.1H", "hidden", snap(broadcast_mac, ipv4(17, udp(67, 68)), 0xf8)},
        {"a DHCP offer in SNAP with a tag", "hidden",
         tagged(snap(broadcast_mac, ipv4(17, udp(67, 68))), 7)},
        {"a DHCP offer in a tag in SNAP", "hidden",
         snap(broadcast_mac, two(0x8100) + two(0) + ipv4(17, udp(67, 68)))},
        {"a DHCP offer with two tags of no VLAN", "hidden",
         tagged(tagged(on_wire(broadcast_mac, ipv4(17, udp(67, 68))), 0), 0)},
        {"a DHCPv6 advertisement", "dhcpv6_servers", on_wire(router_mac, ipv6(17, udp(547, 546)))},
        {"a DHCPv6 answer from another port", "dhcpv6_servers",
         on_wire(router_mac, ipv6(17, udp(4000, 546)))},
        {"a DHCPv6 answer behind options", "dhcpv6_servers",
         on_wire(router_mac, ipv6(60, ipv6_options(17, udp(547, 546))))},
        {"a DHCPv6 advertisement that says to be longer", "hidden",
         on_wire(router_mac, longer(ipv6(17, udp(547, 546))))},
        {"IPv6 that says to be longer", "hidden",
         on_wire(router_mac, longer(ipv6(58, icmpv6(136))))},
        {"a router advertisement", "routers", on_wire(multicast6, ipv6(58, icmpv6(134)))},
        {"a router advertisement to one", "routers", on_wire(router_mac, ipv6(58, icmpv6(134)))},
        {"a router advertisement behind options", "routers",
         on_wire(multicast6, ipv6(60, ipv6_options(58, icmpv6(134))))},
        {"a router advertisement in fragments", "routers",
         on_wire(multicast6, ipv6(44, ipv6_fragment(58, icmpv6(134))))},
        {"a fragment that hides what it is of", "routers",
         on_wire(multicast6, ipv6(44, ipv6_fragment(60, ipv6_options(58, ""))))},
        {"a router advertisement with a tag", "routers",
         tagged(on_wire(multicast6, ipv6(58, icmpv6(134))), 7)},
        {"a router advertisement in SNAP", "hidden", snap(multicast6, ipv6(58, icmpv6(134)))},
        {"a router advertisement in a tag of no VLAN", "hidden",
         tagged(tagged(on_wire(multicast6, ipv6(58, icmpv6(134))), 7), 0)},
        {"a router advertisement behind a tag of no VLAN", "hidden",
         tagged(tagged(on_wire(multicast6, ipv6(58, icmpv6(134))), 0), 7)},
        {"a redirect", "routers", on_wire(router_mac, ipv6(58, icmpv6(137)))},
        {"an ICMP router advertisement", "routers",
         on_wire(broadcast_mac, ipv4(1, bytes({9, 0, 0, 0}) + std::string(28, '\0')))},
        {"an ICMP redirect", "routers",
         on_wire(router_mac, ipv4(1, bytes({5, 1, 0, 0}) + std::string(28, '\0')))},

        {"a DHCP request", nullptr, on_wire(broadcast_mac, ipv4(17, udp(68, 67)))},
        {"a DHCPv6 request", nullptr, on_wire("33:33:00:01:00:02", ipv6(17, udp(546, 547)))},
        {"a router solicitation", nullptr, on_wire("33:33:00:00:00:02", ipv6(58, icmpv6(133)))},
        {"a neighbour solicitation", nullptr, on_wire(multicast6, ipv6(58, icmpv6(135)))},
        {"a neighbour advertisement", nullptr, on_wire(router_mac, ipv6(58, icmpv6(136)))},
        {"a large ping's fragment", nullptr,
         on_wire(router_mac, ipv6(44, ipv6_fragment(58, icmpv6(128))))},
        {"an IPv4 ping", nullptr,
         on_wire(router_mac, ipv4(1, bytes({8, 0, 0, 0}) + std::string(28, '\0')))},
        {"a large datagram's other fragment", nullptr,
         on_wire(router_mac, ipv4(17, udp(4000, 5000), broadcast_ipv4, 1))},
        {"AppleTalk's ARP", nullptr, snap(broadcast_mac, two(0x80f3) + "aarp")},
        {"two tags", nullptr, tagged(make_frame(router_mac, mac_a, 7), 8)},
        {"DNS", nullptr, on_wire(router_mac, ipv4(17, udp(5000, 53)))},
        {"ARP", nullptr, make_arp_request(mac_a, "192.0.2.1")},
        {"multicast", nullptr, make_frame(multicast_mac, mac_a)},
        {"any frame", nullptr, make_frame(router_mac, mac_a)},
        {"a frame with a tag", nullptr, make_frame(router_mac, mac_a, 7)},
    };
}

ListenerSample ipv4_listener() {
    constexpr const char* to = "01:00:5e:01:02:03";
    const std::string group = bytes({239, 1, 2, 3});
    const auto igmp = [](int type, const std::string& about) {
        std::string message = bytes({type, 1, 0, 0}) + about;
        message.replace(2, 2, internet_checksum(message));
        return message;
    };
    const std::string query = igmp(0x11, group);
    return {"IPv4",
            ethernet(to, router_mac, ipv4(17, udp(5000, 5000), group)),
            ethernet(to, mac_b, ipv4(2, igmp(0x16, group), group)),
            ethernet("01:00:5e:00:00:01", router_mac,
                     ipv4(2, igmp(0x11, std::string(4, '\0')), bytes({224, 0, 0, 1}))),
            // The bridge takes a fragment for a whole.
            {ethernet(to, mac_a, ipv4(2, query, group)),
             ethernet(to, mac_a, ipv4(2, query, group, 1))}};
}

ListenerSample ipv6_listener() {
    constexpr const char* to = "33:33:01:02:03:04";
    const std::string group = bytes({0xff, 0x15}) + std::string(10, '\0') + bytes({1, 2, 3, 4});
    const auto mld = [&](int type, const std::string& about, const std::string& receiver) {
        std::string message = bytes({type, 0, 0, 0, 0, 100, 0, 0}) + about;
        const std::string pseudo = ipv6_source + receiver + bytes({0, 0, 0, 24, 0, 0, 0, 58});
        message.replace(2, 2, internet_checksum(pseudo + message));
        return ipv6(0, ipv6_options(58, message), receiver);
    };
    return {"IPv6",
            ethernet(to, router_mac, ipv6(17, udp(5000, 5000), group)),
            ethernet(to, mac_b, mld(131, group, group)),
            ethernet("33:33:00:00:00:01", router_mac, mld(130, std::string(16, '\0'), all_nodes)),
            {ethernet(to, mac_a, mld(130, group, group))}};
}

}  // namespace tapgate
