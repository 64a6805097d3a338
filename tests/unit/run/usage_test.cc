// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "launcher/qemu/viewer.h"
#include "launcher/run/usage.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Usage, CountsTheTapsOfEachUserAndBridge) {
    HostNetwork network;
    const auto link = [&](int index, const char* name, int master, const char* alias) {
        HostLink one;
        one.index = index;
        one.name = name;
        one.master = master;
        one.alias = alias;
        one.kind = "veth";
        if (master != 0)
            one.port.emplace();
        else
            one.bridge.emplace();
        network.links.push_back(one);
    };
    link(1, "br0", 0, "");
    link(2, "br1", 0, "");
    link(3, "tap7-0", 1, "tapgate uid=7 vm=a");
    link(4, "tap7-1", 1, "tapgate uid=7 vm=b");
    link(5, "tap7-2", 2, "tapgate uid=7");
    link(6, "tap8-0", 1, "tapgate uid=8 vm=c");
    link(7, "eth0", 1, "uplink");
    EXPECT_THAT(taps_in_use(network, std::nullopt),
                ElementsAre(std::pair(std::pair(7U, std::string("br0")), 2U),
                            std::pair(std::pair(7U, std::string("br1")), 1U),
                            std::pair(std::pair(8U, std::string("br0")), 1U)));
    EXPECT_THAT(taps_in_use(network, 8),
                ElementsAre(std::pair(std::pair(8U, std::string("br0")), 1U)));
}

TEST(Viewer, IsCalledAsEachTakesTheAddress) {
    EXPECT_THAT(viewer_words("vncviewer", "unix:/run/x.sock"),
                ElementsAre("vncviewer", "/run/x.sock"));
    EXPECT_THAT(viewer_words("remote-viewer", "unix:/run/x.sock"), IsEmpty());
    EXPECT_THAT(viewer_words("vncviewer", "127.0.0.1:5901"),
                ElementsAre("vncviewer", "127.0.0.1::5901"));
    EXPECT_THAT(viewer_words("remote-viewer", "127.0.0.1:5901"),
                ElementsAre("remote-viewer", "vnc://127.0.0.1:5901"));
    EXPECT_THAT(viewer_words("gvncviewer", "host:5901"), ElementsAre("gvncviewer", "host:1"));
    EXPECT_THAT(viewer_words("gvncviewer", "host:80"), IsEmpty());
    EXPECT_EQ(viewer_address("unix:/run/x.sock"), "/run/x.sock");
    EXPECT_EQ(viewer_address("host:5901"), "vnc://host:5901");
}

}  // namespace
}  // namespace tapgate
