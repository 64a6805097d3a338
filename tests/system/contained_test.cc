// SPDX-License-Identifier: GPL-2.0-or-later
//
// What goes through a contained tap: all that its bridge lets through, both ways, as through a
// plain one. (What its holder cannot do with it: abuse_contained_test.cc.)
//
//     tap === leaf bridge === inner end | outer end ---- br0 ---- uplink | far end, "the network"

#include <linux/rtnetlink.h>

#include <stdexcept>
#include <utility>

#include <gmock/gmock.h>

#include "tests/system/hostile.h"
#include "tests/system/netlink.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

constexpr const char* guest_mac = "52:54:00:00:00:0a";
constexpr const char* network_mac = "00:11:22:33:44:55";

// An IPv4 packet without a payload whose header has no good checksum: br_netfilter would drop it.
std::string make_bad_ip(std::string_view to, std::string_view from) {
    std::string frame =
        mac_bytes(to) + mac_bytes(from) + std::string("\x08\x00\x45\x00\x00\x14", 6);
    frame.resize(60);
    return frame;
}

std::string of_size(std::string frame, std::size_t size) {
    frame.resize(size);
    return frame;
}

class Contained : public Testbed, public testing::WithParamInterface<const char*> {
  protected:
    void SetUp() override {
        Testbed::SetUp();
        if (IsSkipped() || HasFatalFailure())
            return;
        add_bridge("br0");
        add_veth("uplink", "far");
        for (const char* const link : {"br0", "uplink", "far"})
            write_file("/sys/class/net/" + std::string(link) + "/mtu", "9000");
        Rtnl().set_master("uplink", "br0");
        set_link_up("far");
        set_link_up("uplink");
        // LLDP (01:80:c2:00:00:0e), which bridges keep to themselves unless they are told
        // otherwise.
        write_file("/sys/class/net/br0/bridge/group_fwd_mask", "0x4000");
        for (const char* const of : {"iptables", "ip6tables", "arptables"}) {
            const std::string file = "/proc/sys/net/bridge/bridge-nf-call-" + std::string(of);
            if (access(file.c_str(), F_OK) == 0)
                write_file(file, "0");
        }
    }

    // Whether the frame that `make(to, from)` makes arrives, from the guest and at the guest.
    void expect_both_ways(
        const std::string& what,
        const std::function<std::string(std::string_view, std::string_view)>& make) {
        write_policy(std::string("allow br0 ") + GetParam() + "\n");
        const HelperResult run =
            run_helper({"--br=br0", "--fd=27", std::string("--mac=") + guest_mac});
        ASSERT_TRUE(granted(run));
        const Station guest = Station::tap(run.fds[0].get(), {"br0"});
        const Station network = Station::link("far", {"br0"});
        const std::string out = make(network_mac, guest_mac);
        EXPECT_TRUE(guest.send(out));
        EXPECT_TRUE(network.got(out)) << what << ", from the guest";
        const std::string in = make(guest_mac, network_mac);
        EXPECT_TRUE(network.send(in));
        EXPECT_TRUE(guest.got(in)) << what << ", to the guest";
    }
};

TEST_P(Contained, PassesWhatItsBridgePasses) {
    expect_both_ways("a frame", [](auto to, auto from) { return make_frame(to, from); });
    expect_both_ways("a frame to everybody",
                     [](auto, auto from) { return make_frame(broadcast_mac, from); });
    expect_both_ways("a frame to a group",
                     [](auto, auto from) { return make_frame(multicast_mac, from); });
    expect_both_ways("a frame of a VLAN",
                     [](auto to, auto from) { return make_frame(to, from, 7); });
    expect_both_ways("a frame of 9000 bytes",
                     [](auto to, auto from) { return of_size(make_frame(to, from), 9014); });
    expect_both_ways("a frame of LLDP",
                     [](auto, auto from) { return make_frame("01:80:c2:00:00:0e", from); });
    expect_both_ways("what is no good IP", make_bad_ip);
}

INSTANTIATE_TEST_SUITE_P(Rule, Contained,
                         testing::Values("plain", "contain", "max-taps=9 mac-lock"),
                         [](const auto& rule) {
                             return std::string("number") + std::to_string(rule.index);
                         });

using ContainedPort = Testbed;

// A guest's frame with the network's own source address stays with it, and the next ones to that
// address go out all the same: what is between the tap and the bridge does not learn who is where.
TEST_F(ContainedPort, LearnsNothingFromItsGuest) {
    add_bridge("br0");
    add_veth("uplink", "far");
    ASSERT_EQ(set_master("uplink", "br0"), 0);
    set_link_up("far");
    set_link_up("uplink");
    write_policy("allow br0 mac-lock\n");
    const HelperResult run = run_helper({"--br=br0", "--fd=27", std::string("--mac=") + guest_mac});
    ASSERT_TRUE(granted(run));
    const Station guest = Station::tap(run.fds[0].get(), {"br0"});
    const Station network = Station::link("far", {"br0"});
    const std::string forged = make_frame(broadcast_mac, network_mac);
    EXPECT_TRUE(guest.send(forged));
    EXPECT_FALSE(network.got(forged));
    const std::string out = make_frame(network_mac, guest_mac);
    EXPECT_TRUE(guest.send(out));
    EXPECT_TRUE(network.got(out));
}

// Its user may get into the namespace while it is made, delete the pair, and have another helper
// make one of the same name: that one's port is none of this helper's affair.
TEST_F(ContainedPort, OfTheSameNameIsAnotherHelpers) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    add_bridge("br0");
    write_policy("allow br0 max-taps=1 isolated mac-lock\n");
    bool made = false;
    std::string name;
    std::string address;
    const HelperResult run = run_traced(
        {"--br=br0", "--fd=27", std::string("--mac=") + guest_mac}, {},
        [&](const TracedCall& call) {
            const bool answers = receives_netlink(call);
            if (made && !answers && name.empty()) {
                for (const std::string& link : links())
                    if (link.starts_with("tap"))
                        name = link;
                remove_link(name);
                add_veth(name, "other");
                EXPECT_EQ(set_master(name, "br0"), 0);
                address = link_attribute(name, "address");
            }
            for (const TracedMessage& message : messages_in(call))
                made = made || (sends_netlink(call) && message.header.nlmsg_type == RTM_NEWLINK);
            return TraceAction{};
        });
    ASSERT_NE(name, "");
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_TRUE(run.fds.empty());
    ASSERT_TRUE(link_exists(name));
    EXPECT_EQ(link_attribute(name, "address"), address);
    EXPECT_EQ(link_attribute(name, "ifalias"), "");
    EXPECT_EQ(link_attribute(name, "brport/isolated"), "0");
}

}  // namespace
}  // namespace tapgate
