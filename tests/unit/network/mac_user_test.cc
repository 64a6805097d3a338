// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who has a MAC address on a bridge that several hosts share?
#include "launcher/network/mac_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const InterfaceName br0 = InterfaceName::parse("br0").value();
const MacAddress vms_mac = MacAddress::parse("52:54:00:12:34:56").value();

class Macs : public testing::Test {
  protected:
    Macs() {
        add(1, "br0", "bridge", 0);
        add(2, "vx0", "vxlan", 1);
        network.links.back().tunnel_from = "10.0.0.1";
        add(3, "tap0", "tun", 1);
    }
    void add(int index, const std::string& name, const std::string& kind, int master) {
        HostLink& link = network.links.emplace_back();
        link.index = index;
        link.name = name;
        link.kind = kind;
        link.master = master;
        if (master != 0)
            link.port.emplace();
    }
    void hear(int port, std::uint64_t age, bool entered = false) {
        network.stations.push_back(
            {.mac = vms_mac, .port = port, .bridge = 1, .entered = entered, .age = age});
    }
    // Ages while it is waited for, and does not change otherwise unless `then` has it.
    std::string wait(bool own, const std::function<void(milliseconds)>& then = {}) {
        return error_of([&] {
            require_free_mac(br0, vms_mac, own,
                             {.network = [&] { return network; },
                              .vm_elsewhere = [&] { return elsewhere; },
                              .sleep =
                                  [&](milliseconds time) {
                                      waited += time;
                                      for (Station& one : network.stations)
                                          one.age += static_cast<std::uint64_t>(time.count());
                                      if (then)
                                          then(waited);
                                  },
                              .tell = [&](const std::string& text) { told += text; }});
        });
    }

    HostNetwork network;
    std::string elsewhere;
    milliseconds waited{0};
    std::string told;
};

TEST_F(Macs, NobodyHasIt) {
    EXPECT_EQ(wait(false), "none");
    hear(3, 31000);
    EXPECT_EQ(wait(false), "none");
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, ATapOrAStationOfThisHostIsHardlyWaitedFor) {
    hear(3, 100);
    EXPECT_THAT(wait(true), HasSubstr("a station behind the port tap0 on br0 has the MAC address"));
    network.stations.clear();
    network.links[2].alias = "tapgate uid=1000 vm=other mac=" + vms_mac.str();
    EXPECT_THAT(wait(true), HasSubstr("the tap tap0 on br0 has"));
    EXPECT_EQ(waited, milliseconds(1000));
    EXPECT_EQ(told, "");
}

TEST_F(Macs, ThePortOfTheLastRunGoes) {
    network.links[2].alias = "tapgate uid=1000 mac=" + vms_mac.str();
    EXPECT_EQ(wait(true,
                   [&](milliseconds passed) {
                       if (passed >= milliseconds(60))
                           network.links.pop_back();
                   }),
              "none");
    EXPECT_EQ(told, "");
}

TEST_F(Macs, AVmThatMovesStartsAtOnce) {
    hear(2, 1000);
    EXPECT_EQ(wait(true), "none");
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, NotWhileItRunsThere) {
    hear(2, 1000);
    elsewhere = "n1";
    EXPECT_THAT(wait(true), HasSubstr("this VM itself, on the host n1, on br0 has"));
    EXPECT_EQ(waited, milliseconds(0));
}

TEST_F(Macs, AGivenAddressAgesFirst) {
    hear(2, 1000);
    EXPECT_EQ(wait(false), "none");
    EXPECT_GE(waited, milliseconds(29000));
    EXPECT_THAT(told, HasSubstr("of another host, behind the port vx0"));
}

TEST_F(Macs, OneThatIsHeardAgainIsThere) {
    hear(2, 10000);
    EXPECT_THAT(wait(false,
                     [&](milliseconds passed) {
                         if (passed >= milliseconds(3000))
                             network.stations[0].age = 0;
                     }),
                HasSubstr("already; give this VM another with mac="));
    EXPECT_LE(waited, milliseconds(3500));
}

TEST_F(Macs, WhatEvpnHasEnteredIsThereUntilItGoes) {
    hear(2, 600000, true);
    EXPECT_THAT(wait(true), HasSubstr("already"));
    EXPECT_LE(waited, milliseconds(6000));
    waited = milliseconds(0);
    EXPECT_EQ(wait(true,
                   [&](milliseconds passed) {
                       if (passed >= milliseconds(1000))
                           network.stations.clear();
                   }),
              "none");
    EXPECT_LE(waited, milliseconds(1500));
}

}  // namespace
}  // namespace tapgate
