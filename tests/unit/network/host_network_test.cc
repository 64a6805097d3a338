// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_bridge.h>

#include <nlohmann/json.hpp>

#include "launcher/network/bridge_listing.h"
#include "launcher/network/host_network.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

MacAddress mac(const char* text) {
    return MacAddress::parse(text).value();
}

const MacAddress guest_mac = mac("52:54:00:00:00:01");

HostLink link_of(int index, const char* name, const char* kind) {
    HostLink link;
    link.index = index;
    link.name = name;
    link.kind = kind;
    link.up = link.carrier = true;
    return link;
}

HostLink port_of(int index, const char* name, const char* kind) {
    HostLink link = link_of(index, name, kind);
    link.master = 2;
    link.port = PortFacts{BR_STATE_FORWARDING, false, false, false, false};
    return link;
}

// br0 (192.0.2.1/24) with an uplink and a tap, behind which is the guest; VLAN 7 on it.
HostNetwork network() {
    HostNetwork net;
    net.links = {link_of(2, "br0", "bridge"), port_of(3, "eth0", ""), port_of(4, "tap0", "tun"),
                 link_of(5, "br0.7", "vlan"), link_of(6, "br1", "bridge")};
    net.links[0].bridge = BridgeFacts{"8000.020000000001", false, 1500};
    net.links[4].bridge = BridgeFacts{"8000.020000000002", true, 1500};
    net.links[2].alias = "tapgate uid=1000 vm=lab";
    net.links[2].tap_owner = 1001;
    net.links[2].mac = mac("fe:54:00:00:00:01");
    net.links[3].below = 2;
    net.addresses = {{2, "192.0.2.1", 24, false, false, false}};
    net.stations = {
        {*net.links[2].mac, 4, 2, true}, {guest_mac, 4, 2, false}, {guest_mac, 4, 2, false}};
    return net;
}

std::string user_name(uid_t uid) {
    return uid == 1000 ? "alice" : "";
}

TEST(PortTag, IsTheHelpersAndNobodyElses) {
    HostLink tap = link_of(4, "tap0", "tun");
    const auto tag = [&](const char* alias) {
        tap.alias = alias;
        return port_tag(tap);
    };
    ASSERT_TRUE(tag("tapgate uid=1000 vm=lab"));
    EXPECT_EQ(tag("tapgate uid=1000 vm=lab")->owner, 1000U);
    EXPECT_EQ(tag("tapgate uid=1000 vm=lab")->vm, VmName::parse("lab"));
    ASSERT_TRUE(tag("tapgate uid=0"));
    EXPECT_FALSE(tag("tapgate uid=0")->vm);
    EXPECT_FALSE(tag("tapgate uid=5 vm=a/b")->vm);
    EXPECT_FALSE(tag("tapgate uid=1000 vm=lab")->mac);
    const char* const with_mac = "tapgate uid=1000 vm=lab mac=52:54:00:12:34:56";
    EXPECT_EQ(tag(with_mac)->vm, VmName::parse("lab"));
    EXPECT_EQ(tag(with_mac)->mac, MacAddress::parse("52:54:00:12:34:56"));
    EXPECT_EQ(tag("tapgate uid=5 mac=52:54:00:12:34:56")->mac, tag(with_mac)->mac);
    EXPECT_FALSE(tag(""));
    EXPECT_FALSE(tag("tapgate uid="));
    EXPECT_FALSE(tag("tapgate uid=10x"));
    EXPECT_FALSE(tag("tapgate uid=99999999999"));
    EXPECT_FALSE(tag("my tapgate uid=1"));
    tap.kind = "veth";  // the outer end of a contained tap; an alias takes CAP_NET_ADMIN
    EXPECT_TRUE(tag("tapgate uid=1000 vm=lab"));
    tap.kind = "bridge";
    EXPECT_FALSE(tag("tapgate uid=1000 vm=lab"));
}

TEST(HostNetwork, OrdersNeighboursByWhatToConnectTo) {
    HostNetwork net = network();
    net.neighbours = {{2, "fe80::1", guest_mac, true, true, true},
                      {2, "192.0.2.9", guest_mac, false, false, false},
                      {5, "2001:db8::9", guest_mac, true, false, true},
                      {2, "192.0.2.8", guest_mac, false, false, true},
                      {6, "198.51.100.1", guest_mac, false, false, true},
                      {2, "192.0.2.7", mac("52:54:00:00:00:02"), false, false, true}};
    std::vector<std::string> addresses;
    for (const Neighbour& one : net.neighbours_of(guest_mac, 2))
        addresses.push_back(usable_address(net, one));
    // Not what br1 knows: an address means something else there.
    EXPECT_THAT(addresses, ElementsAre("192.0.2.8", "2001:db8::9", "192.0.2.9", "fe80::1%br0"));
}

TEST(HostNetwork, KnowsWhereAStationIs) {
    const HostNetwork net = network();
    ASSERT_NE(net.station(guest_mac, 2), nullptr);
    EXPECT_EQ(net.station(guest_mac, 2)->port, 4);
    EXPECT_EQ(net.station(guest_mac, 6), nullptr);
    EXPECT_EQ(net.station(mac("fe:54:00:00:00:01"), 2), nullptr) << "the tap's own";
}

TEST(Bridges, ShowWhatBrctlShowsAndWhoseEachPortIs) {
    HostNetwork net = network();
    net.neighbours = {{2, "192.0.2.9", guest_mac, false, false, true}};
    net.links[2].port->isolated = true;
    net.links[2].port->guard = net.links[2].port->root_block = true;
    EXPECT_EQ(bridges_text(list_bridges(net, user_name)),
              "bridge name  bridge id          STP enabled  interfaces  state       owner  VM   "
              "MAC                address    options\n"
              "br0          8000.020000000001  no           eth0        forwarding  -      -    -"
              "                  -\n"
              "                                             tap0        forwarding  alice  lab  "
              "52:54:00:00:00:01  192.0.2.9  isolated,guard\n"
              "br1          8000.020000000002  yes\n");
}

TEST(Bridges, CountTheStationsBehindAnUplink) {
    HostNetwork net = network();
    for (int i = 0; i < 5; i++)
        net.stations.push_back(
            {*MacAddress::from_bytes({2, 0, 0, 0, 1, static_cast<std::uint8_t>(i)}), 3, 2, false});
    EXPECT_THAT(bridges_text(list_bridges(net, user_name)), HasSubstr("5 stations"));
    EXPECT_EQ(bridges_json(list_bridges(net, user_name))[0]["ports"][0]["stations"].size(), 5U);
}

TEST(Bridges, SayWhatIsNoBridge) {
    const auto listing_error = [](const char* name) {
        return error_of([&] { list_bridges(network(), user_name, name); });
    };
    EXPECT_EQ(listing_error("br0"), "none");
    EXPECT_EQ(listing_error("br7"), "there is no bridge `br7'; those that there are: br0, br1");
    EXPECT_EQ(listing_error("tap0"), "tap0 is not a bridge (it is a tun)");
    EXPECT_EQ(listing_error("eth0"), "eth0 is not a bridge (it is a network device)");
}

// The real kernel, whatever it has: there is always a loopback device with its address or none.
TEST(HostNetwork, IsRead) {
    const HostNetwork net = host_network();
    ASSERT_NE(net.link("lo"), nullptr);
    EXPECT_EQ(net.link(net.link("lo")->index), net.link("lo"));
}

}  // namespace
}  // namespace tapgate
