// SPDX-License-Identifier: GPL-2.0-or-later
//
// The bridge's own MAC address: a grant fixes it as it is, so that no tap's holder can change it.
// An address that root has set stays, even if he sets it while the port is made.

#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>

#include <gmock/gmock.h>

#include "tests/system/netlink.h"
#include "tests/system/ports.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

using testing::StartsWith;

// A bridge without an address of its own takes the lowest one of its ports, and there is no lower.
constexpr const char* lowest_mac = "00:00:00:00:00:01";

// An address that root sets while a port is made.
TEST_F(Ports, RootsNewAddressOfTheBridgeStays) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0 contain\n");
    bool done = false;
    const HelperResult run = run_traced({"--br=br0", "--fd=27"}, {}, [&](const TracedCall& call) {
        if (!done && makes_tap(call)) {
            done = true;
            Rtnl().set_address("br0", router_mac);
        }
        return TraceAction{};
    });
    EXPECT_TRUE(done);
    EXPECT_TRUE(granted(run)) << describe(run);
    EXPECT_EQ(link_attribute("br0", "address"), router_mac);
}

// Once root has set the address, it is root's, whenever he sets another one.
TEST_F(Ports, RootsNextAddressOfTheBridgeStays) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0 contain\n");
    for (unsigned messages = 0;; ++messages) {  // that are sent before root sets it
        Rtnl().set_address("br0", router_mac);
        bool after_tap = false;
        unsigned sent = 0;
        const HelperResult run =
            run_traced({"--br=br0", "--fd=27"}, {}, [&](const TracedCall& call) {
                after_tap |= makes_tap(call);
                if (after_tap && call_name(call.number) == "sendmsg" && sent++ == messages)
                    Rtnl().set_address("br0", mac_a);
                return TraceAction{};
            });
        EXPECT_TRUE(granted(run)) << describe(run);
        if (sent <= messages) {
            EXPECT_GT(messages, 2U);
            return;
        }
        EXPECT_EQ(link_attribute("br0", "address"), mac_a) << "after " << messages << " messages";
    }
}

// A caller keeps the helper from seeing that root has set the address.
TEST_F(Ports, AnAddressThatMayBeRootsIsNotTakenForAFreeOne) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0\n");
    bool after_tap = false;
    const HelperResult run = run_traced({"--br=br0", "--fd=27"}, {}, [&](const TracedCall& call) {
        TraceAction action;
        if (makes_tap(call))
            after_tap = true;
        if (after_tap && call_name(call.number) == "openat")
            action.fail_with = EMFILE;
        return action;
    });
    EXPECT_TRUE(failed(run, "failed to read /sys/class/net/br0/addr_assign_type")) << describe(run);
    EXPECT_TRUE(no_taps_left());
}

class BridgeMac : public Testbed {
  protected:
    static std::string mac() { return link_attribute("br0", "address"); }
    static std::string type() { return link_attribute("br0", "addr_assign_type"); }
    // "8000.525400123456"
    static std::string bridge_id() { return link_attribute("br0", "bridge/bridge_id"); }
    static std::string id_of(std::string mac_text) {
        std::erase(mac_text, ':');
        return "8000." + mac_text;
    }

    static HelperResult start(const std::string& options = "") {
        write_policy("allow br0 " + options + "\n");
        return run_helper({"--br=br0", "--fd=27"});
    }

    // What the tap's holder can do without privilege.
    static void set_tap_mac(const HelperResult& run, std::string_view to) {
        const int fd = run.fds.at(0).get();
        check_call(set_hardware_address(fd, tap_name(fd), to) == 0, "SIOCSIFHWADDR");
    }
};

TEST_F(BridgeMac, OfAFreshBridgeIsPinnedAsItIs) {
    add_bridge("br0");
    const std::string before = mac();
    ASSERT_EQ(type(), "1");
    ASSERT_EQ(bridge_id(), "8000.000000000000") << "the kernel's trap, without which this proves "
                                                   "nothing";
    const HelperResult run = start();
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(mac(), before);
    EXPECT_EQ(type(), "3");
    EXPECT_EQ(bridge_id(), id_of(before));
}

TEST_F(BridgeMac, TakenFromAPortIsPinnedAsItIs) {
    add_bridge("br0");
    add_veth("uplink", "far");
    Rtnl().set_master("uplink", "br0");
    const std::string before = mac();
    ASSERT_EQ(before, link_attribute("uplink", "address"));
    const HelperResult run = start();
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(mac(), before);
    EXPECT_EQ(type(), "3");
    EXPECT_EQ(bridge_id(), id_of(before));
    // Nor does it move with the port that it came from.
    remove_link("uplink");
    EXPECT_EQ(mac(), before);
    EXPECT_EQ(bridge_id(), id_of(before));
}

TEST_F(BridgeMac, CannotBeMovedByATapsHolder) {
    add_bridge("br0");
    const std::string before = mac();
    const HelperResult run = start();
    ASSERT_TRUE(granted(run));
    for (const char* lower : {lowest_mac, "02:00:00:00:00:00"}) {
        set_tap_mac(run, lower);
        EXPECT_EQ(mac(), before);
        EXPECT_EQ(bridge_id(), id_of(before));
    }
}

TEST_F(BridgeMac, CanBeMovedWithNoPinBridgeMac) {
    add_bridge("br0");
    const HelperResult run = start("no-pin-bridge-mac");
    ASSERT_TRUE(granted(run));
    EXPECT_NE(type(), "3");
    set_tap_mac(run, lowest_mac);
    EXPECT_EQ(mac(), lowest_mac);
}

TEST_F(BridgeMac, ThatIsGoneWithTheLastPortBecomesARandomOne) {
    add_bridge("br0");
    add_veth("uplink", "far");
    Rtnl().set_master("uplink", "br0");
    remove_link("uplink");
    ASSERT_EQ(mac(), "00:00:00:00:00:00");
    const HelperResult run = start();
    ASSERT_TRUE(granted(run));
    EXPECT_THAT(mac(), StartsWith("02:"));
    EXPECT_EQ(type(), "3");
    EXPECT_EQ(bridge_id(), id_of(mac()));
    const std::string before = mac();
    set_tap_mac(run, lowest_mac);
    EXPECT_EQ(mac(), before);
}

TEST_F(BridgeMac, SetByRootIsLeftAlone) {
    add_bridge("br0");
    ASSERT_EQ(set_hardware_address(UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)).get(),
                                   "br0", "02:11:22:33:44:55"),
              0);
    ASSERT_EQ(type(), "3");
    const HelperResult run = start();
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(mac(), "02:11:22:33:44:55");
    EXPECT_EQ(bridge_id(), id_of("02:11:22:33:44:55"));
    set_tap_mac(run, lowest_mac);
    EXPECT_EQ(mac(), "02:11:22:33:44:55");
}

TEST_F(BridgeMac, IsNotTouchedByARefusal) {
    add_bridge("br0");
    const std::string before = mac();
    EXPECT_TRUE(failed(start("mac-lock"), "access denied by acl file"));
    EXPECT_EQ(mac(), before);
    EXPECT_NE(type(), "3");
}

}  // namespace
}  // namespace tapgate
