// SPDX-License-Identifier: GPL-2.0-or-later
//
// vlan=N with frames, on a kernel whose bridges filter VLANs. Not every host has such a kernel, so
// these are part of guest_tests, which vlan.sh runs in a guest that does.
//
//     tap ---- br0 ---- trunk | far: VLAN 1 untagged, 20 and 30 tagged
//               | \___ access30 | far30: VLAN 30 untagged
//              host: VLAN 1

#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "tests/system/netlink.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

const std::string filtering_file = "/sys/class/net/br0/bridge/vlan_filtering";

// What `bridge vlan add|del` does.
void set_vlan(const std::string& port, std::uint16_t vlan, int type, std::uint16_t flags = 0) {
    const std::unique_ptr<nl_sock, void (*)(nl_sock*)> socket(nl_socket_alloc(), nl_socket_free);
    nl_msg* message = nlmsg_alloc_simple(type, 0);
    if (!socket || message == nullptr || nl_connect(socket.get(), NETLINK_ROUTE) < 0)
        throw std::runtime_error("netlink");
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = static_cast<int>(if_nametoindex(port.c_str()));
    nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO);
    nlattr* spec = nla_nest_start(message, IFLA_AF_SPEC);
    const bridge_vlan_info info{flags, vlan};
    nla_put(message, IFLA_BRIDGE_VLAN_INFO, sizeof info, &info);
    nla_nest_end(message, spec);
    if (const int error = nl_send_sync(socket.get(), message); error < 0) {
        throw std::runtime_error("VLAN " + std::to_string(vlan) + " of " + port + ": error " +
                                 std::to_string(error));
    }
}

struct Guest {
    UniqueFd fd;
    std::string tap;
    Station station;
};

class Vlan : public Testbed {
  protected:
    void prepare() override {
        add_bridge("br0");
        TAPGATE_REQUIRE(!read_text(filtering_file).empty(), "a kernel with bridge VLAN filtering");
        write_file(filtering_file, "1");
        add_port("trunk", "far");
        add_port("access30", "far30");
        set_vlan("trunk", 20, RTM_SETLINK);
        set_vlan("trunk", 30, RTM_SETLINK);
        set_vlan("access30", 30, RTM_SETLINK, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
        set_vlan("access30", 1, RTM_DELLINK);
        far_.emplace(Station::link("far", {"br0"}));
        far30_.emplace(Station::link("far30", {"far", 30}));
        host_.emplace(Station::link("br0", {"far"}));
    }

    static void add_port(const std::string& name, const std::string& far_end) {
        add_veth(name, far_end);
        Rtnl().set_master(name, "br0");
        set_link_up(far_end);
        set_link_up(name);
    }

    static HelperResult ask(const std::string& options, const std::string& mac) {
        write_policy("allow br0 " + options + "\n");
        return run_helper({"--br=br0", "--fd=27", "--mac=" + mac});
    }

    // A guest whose tap is in `vlan`, which its beacons need to know.
    static Guest start(const std::string& options, int vlan, const std::string& mac = mac_a) {
        HelperResult run = ask(options, mac);
        if (!granted(run))
            throw std::runtime_error(describe(run));
        UniqueFd fd = std::move(run.fds[0]);
        const int number = fd.get();
        Guest guest{std::move(fd), tap_name(number),
                    Station::tap(number, {"far", vlan == 1 ? 0 : vlan})};
        guest.station.await_link();
        return guest;
    }

    // Where a frame that `guest` sends comes out.
    struct Arrivals {
        bool untagged = false;  // at the trunk's far end
        bool in_20 = false;
        bool in_30 = false;
        bool at_30 = false;  // VLAN 30's access port
        bool at_host = false;
        bool operator==(const Arrivals&) const = default;
    };
    Arrivals arrivals(const Guest& guest, const std::string& sent, const std::string& plain) {
        const auto got = [&](const Station& station, const std::string& frame) {
            EXPECT_TRUE(guest.station.send(sent));
            return station.got(frame);
        };
        return {got(*far_, plain), got(*far_, tagged(plain, 20)), got(*far_, tagged(plain, 30)),
                got(*far30_, plain), got(*host_, plain)};
    }
    Arrivals arrivals(const Guest& guest, const std::string& frame) {
        return arrivals(guest, frame, frame);
    }

    const Station& far() const { return *far_; }
    const Station& far30() const { return *far30_; }
    const Station& host() const { return *host_; }

  private:
    OneCpu one_cpu_;
    std::optional<Station> far_;
    std::optional<Station> far30_;
    std::optional<Station> host_;
};

constexpr std::array<const char*, 4> destinations = {"ff:ff:ff:ff:ff:ff", "01:00:5e:01:02:03",
                                                     nobodys_mac, router_mac};

TEST_F(Vlan, WithoutItAPortIsInTheBridgesDefaultVlan) {
    const Guest guest = start("", 1);
    const Arrivals all = arrivals(guest, make_frame(broadcast_mac, mac_a));
    EXPECT_EQ(all, (Arrivals{.untagged = true, .at_host = true}));
    // It sends into no other VLAN, but that it is not in, as without `vlan=` on any such bridge.
    const std::string frame = make_frame(broadcast_mac, mac_a);
    EXPECT_EQ(arrivals(guest, tagged(frame, 20), frame), Arrivals{});
}

TEST_F(Vlan, UntaggedFramesComeOutInThatVlanOnly) {
    const Guest guest = start("vlan=20", 20);
    for (const char* to : destinations) {
        EXPECT_EQ(arrivals(guest, make_frame(to, mac_a)), (Arrivals{.in_20 = true})) << to;
    }
}

TEST_F(Vlan, FramesOfThatVlanOnlyComeInAndUntagged) {
    const Guest guest = start("vlan=20", 20);
    ASSERT_TRUE(guest.station.send(make_frame(broadcast_mac, mac_a)));
    for (const char* to : {"ff:ff:ff:ff:ff:ff", "01:00:5e:01:02:03", nobodys_mac, mac_a}) {
        const std::string in_20 = make_frame(to, router_mac);
        ASSERT_TRUE(far().send(tagged(in_20, 20)));
        EXPECT_TRUE(guest.station.got(in_20)) << to;

        const std::string other = make_frame(to, router_mac);
        ASSERT_TRUE(far().send(other) && far().send(tagged(other, 30)) &&
                    far().send(tagged(other, 1)) && far30().send(other) && host().send(other));
        EXPECT_FALSE(guest.station.got(other)) << to;
        ASSERT_TRUE(far().send(tagged(other, 30)));
        EXPECT_FALSE(guest.station.got(tagged(other, 30))) << to;
    }
}

TEST_F(Vlan, FramesThatTheGuestTagsOtherwiseAreDropped) {
    const Guest guest = start("vlan=20", 20);
    const std::string frame = make_frame(broadcast_mac, mac_a);
    for (const int vlan : {1, 2, 19, 21, 30, 4094}) {
        EXPECT_EQ(arrivals(guest, tagged(frame, vlan), frame), Arrivals{}) << vlan;
        EXPECT_EQ(arrivals(guest, tagged(frame, vlan), tagged(frame, vlan)), Arrivals{}) << vlan;
    }
    // The bridge takes off the tag of its own VLAN, or one of no VLAN; a second tag inside means
    // nothing.
    EXPECT_EQ(arrivals(guest, tagged(frame, 20), frame), (Arrivals{.in_20 = true}));
    const std::string hop = tagged(frame, 30);
    EXPECT_EQ(arrivals(guest, tagged(hop, 20), hop), (Arrivals{.in_20 = true}));
    EXPECT_EQ(arrivals(guest, tagged(hop, 20), frame), Arrivals{});
    // A service tag (802.1ad) does not carry it elsewhere either.
    std::string service = tagged(frame, 30);
    service.replace(12, 2, "\x88\xa8");
    EXPECT_EQ(arrivals(guest, service, frame), Arrivals{});
    EXPECT_EQ(arrivals(guest, service, service), (Arrivals{.in_20 = true}));
}

// Two tags of both kinds, of this VLAN, of others and of none: what a guest sends arrives in its
// VLAN, whatever it looks like, or nowhere.
TEST_F(Vlan, NoTwoTagsCarryAFrameElsewhere) {
    const auto with_tag = [](const std::string& frame, unsigned type, int vlan) {
        std::string with = tagged(frame, vlan);
        return with.replace(12, 2, two(type));
    };
    const std::string in_20 = two(0x8100) + two(20);
    for (const char* const options : {"vlan=20", "vlan=20 mac-lock"}) {
        const Guest guest = start(options, 20);
        int arrived = 0;
        const auto send = [&](const std::string& frame, const std::string& what) {
            const std::string text = make_frame(broadcast_mac, mac_a).substr(14, 20);
            std::string sent = frame;
            ASSERT_TRUE(guest.station.send(sent.replace(sent.size() - 46, 20, text)));
            for (const Station* const other : {&far30(), &host()}) {
                for (const std::string& got : other->take_out()) {
                    EXPECT_EQ(got.find(text), std::string::npos) << options << what;
                }
            }
            for (const std::string& got : far().take_out()) {
                if (got.find(text) != std::string::npos) {
                    ++arrived;
                    EXPECT_EQ(got.substr(12, 4), in_20) << options << what;
                }
            }
        };
        const std::string frame = make_frame(broadcast_mac, mac_a);
        for (const unsigned outer : {0x8100U, 0x88a8U}) {
            for (const unsigned inner : {0x8100U, 0x88a8U}) {
                for (const int a : {0, 1, 20, 30, 4094}) {
                    for (const int b : {0, 1, 20, 30, 4094}) {
                        send(with_tag(with_tag(frame, inner, b), outer, a),
                             " " + std::to_string(outer) + ":" + std::to_string(a) + " " +
                                 std::to_string(inner) + ":" + std::to_string(b));
                    }
                }
            }
        }
        // Tags of no VLAN or of 20, and all service tags.
        EXPECT_EQ(arrived, 2 * 2 * 5 + 2 * 5 * 5) << options;
    }
}

TEST_F(Vlan, PortsOfOneVlanReachEachOtherAndThoseOfTwoDoNot) {
    const Guest a = start("vlan=20", 20, mac_a);
    const Guest b = start("vlan=20", 20, mac_b);
    const Guest other = start("vlan=30", 30, "52:54:00:00:00:0c");
    for (const char* to : {"ff:ff:ff:ff:ff:ff", nobodys_mac, "52:54:00:00:00:0c"}) {
        const std::string frame = make_frame(to, mac_a);
        ASSERT_TRUE(a.station.send(frame));
        EXPECT_TRUE(b.station.got(frame)) << to;
        EXPECT_FALSE(other.station.got(frame)) << to;
    }
    EXPECT_EQ(arrivals(other, make_frame(broadcast_mac, "52:54:00:00:00:0c")),
              (Arrivals{.in_30 = true, .at_30 = true}));
}

TEST_F(Vlan, WithManyQueues) {
    write_policy("allow br0 vlan=20 queues=2\n");
    HelperResult run = run_helper({"--br=br0", "--fd=27", "--queues=2"});
    ASSERT_TRUE(granted(run, 2));
    for (const UniqueFd& fd : run.fds) {
        const Guest guest{UniqueFd(), "", Station::tap(fd.get(), {"far", 20})};
        guest.station.await_link();
        EXPECT_EQ(arrivals(guest, make_frame(broadcast_mac, mac_a)), (Arrivals{.in_20 = true}));
    }
}

TEST_F(Vlan, TheBridgesDefaultVlanCanBeAskedForAndAnyOtherBeTheDefault) {
    EXPECT_EQ(arrivals(start("vlan=1", 1), make_frame(broadcast_mac, mac_a)),
              (Arrivals{.untagged = true, .at_host = true}));
    ASSERT_TRUE(no_taps_left());
    // No default VLAN, and one in which the trunk is too: the port must not stay in it.
    for (const char* vlan : {"0", "30"}) {
        write_file(filtering_file, "0");
        write_file("/sys/class/net/br0/bridge/default_pvid", vlan);
        write_file(filtering_file, "1");
        set_vlan("trunk", 20, RTM_SETLINK);
        set_vlan("trunk", 1, RTM_SETLINK, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
        set_vlan("trunk", 30, RTM_SETLINK);
        const HelperResult run = ask("vlan=20", mac_a);
        ASSERT_TRUE(granted(run));
        const std::string frame = make_frame(broadcast_mac, mac_a);
        const Station station = Station::tap(run.fds[0].get(), {"far", 20});
        station.await_link();
        ASSERT_TRUE(station.send(frame));
        EXPECT_FALSE(far30().got(frame)) << vlan;
        ASSERT_TRUE(far().send(tagged(frame, 30)));
        EXPECT_FALSE(station.got(frame)) << vlan;
        ASSERT_TRUE(far().send(tagged(frame, 20)));
        EXPECT_TRUE(station.got(frame)) << vlan;
    }
}

// Such as while its user has stopped the helper.
TEST_F(Vlan, ADefaultThatRootChangesMeanwhileIsNotThePorts) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0 vlan=20\n");
    bool changed = false;
    const HelperResult run = run_traced({"--br=br0", "--fd=27"}, {}, [&](const TracedCall& call) {
        if (!changed && makes_tap(call)) {
            changed = true;
            write_file(filtering_file, "0");
            write_file("/sys/class/net/br0/bridge/default_pvid", "30");
            write_file(filtering_file, "1");
        }
        return TraceAction{};
    });
    ASSERT_TRUE(changed);
    ASSERT_TRUE(granted(run));
    const Station guest = Station::tap(run.fds[0].get(), {"far", 20});
    guest.await_link();
    const std::string frame = make_frame(broadcast_mac, router_mac);
    ASSERT_TRUE(far30().send(frame));
    EXPECT_FALSE(guest.got(frame));
    ASSERT_TRUE(far().send(tagged(frame, 20)));
    EXPECT_TRUE(guest.got(frame));
}

// Frames that a bridge hands to its host do not go through its VLANs, but they do not go anywhere
// else either.
TEST_F(Vlan, GroupsOfSwitchesAreInNoOtherVlan) {
    const Guest guest = start("vlan=20", 20);
    for (const char* const to : {"01:80:c2:00:00:00", "01:80:c2:00:00:03", "01:80:c2:00:00:0e"}) {
        // Without STP, the address of the bridge group is one like any other.
        const Arrivals plain{.in_20 = std::string_view(to).ends_with("00:00")};
        const std::string frame = make_frame(to, mac_a);
        EXPECT_EQ(arrivals(guest, frame), plain) << to;
        EXPECT_EQ(arrivals(guest, tagged(frame, 0), frame), plain) << to;
        EXPECT_EQ(arrivals(guest, tagged(frame, 20), frame), plain) << to;
        EXPECT_EQ(arrivals(guest, tagged(frame, 30), frame), Arrivals{}) << to;
    }
}

TEST_F(Vlan, WithMacLock) {
    std::optional<Guest> guest = start("vlan=20 mac-lock", 20);
    EXPECT_EQ(arrivals(*guest, make_frame(broadcast_mac, mac_a)), (Arrivals{.in_20 = true}));
    for (const char* source : {mac_b, nobodys_mac, router_mac}) {
        EXPECT_EQ(arrivals(*guest, make_frame(broadcast_mac, source)), Arrivals{}) << source;
    }
    const std::string frame = make_frame(broadcast_mac, mac_a);
    EXPECT_EQ(arrivals(*guest, tagged(frame, 30), frame), Arrivals{});
    // The entry stays when others send with the address, in that VLAN or another.
    for (const int vlan : {20, 30}) {
        ASSERT_TRUE(far().send(make_frame(broadcast_mac, mac_a, vlan)));
    }
    EXPECT_EQ(arrivals(*guest, make_frame(broadcast_mac, mac_a)), (Arrivals{.in_20 = true}));
    const std::string down = make_frame(mac_a, router_mac);
    ASSERT_TRUE(far().send(tagged(down, 20)));
    EXPECT_TRUE(guest->station.got(down));
    // The address is taken, whichever VLAN somebody asks for.
    EXPECT_EQ(ask("vlan=20 mac-lock", mac_a).exit_status, 1);
    EXPECT_EQ(ask("vlan=30 mac-lock", mac_a).exit_status, 1);
    guest.reset();
    ASSERT_TRUE(no_taps_left());
    EXPECT_TRUE(granted(ask("vlan=20 mac-lock", mac_a)));
}

TEST_F(Vlan, MacLockRefusesAnAddressOfTheSameVlan) {
    ASSERT_TRUE(far().send(make_frame(broadcast_mac, router_mac, 20)));
    ASSERT_TRUE(host().send(make_frame(broadcast_mac, nobodys_mac)));
    EXPECT_TRUE(failed_saying(ask("vlan=20 mac-lock", router_mac), "",
                              "mac-lock: another machine on the bridge has this MAC address"));
    // An address that another machine has in VLAN 30 is free in VLAN 20.
    ASSERT_TRUE(far().send(make_frame(broadcast_mac, mac_b, 30)));
    EXPECT_TRUE(granted(ask("vlan=20 mac-lock", mac_b)));
}

TEST_F(Vlan, WithAllOptions) {
    const std::string options = "vlan=20 isolated guard mac-lock max-taps=2 queues=2";
    speak_stp("br0");
    const Guest a = start(options, 20, mac_a);
    const Guest b = start(options, 20, mac_b);
    await_forwarding(a.tap);
    await_forwarding(b.tap);
    const std::string frame = make_frame(broadcast_mac, mac_a);
    EXPECT_EQ(arrivals(a, frame), (Arrivals{.in_20 = true}));
    ASSERT_TRUE(a.station.send(frame));
    EXPECT_FALSE(b.station.got(frame));
    EXPECT_EQ(ask(options, nobodys_mac).exit_status, 1);
}

TEST_F(Vlan, IsRefusedWhereTheBridgeDoesNotFilter) {
    write_file(filtering_file, "0");
    EXPECT_TRUE(failed_saying(ask("vlan=20", mac_a), "access denied by acl file",
                              "bridge br0 does not filter VLANs, so vlan=20 would mean nothing"));
}

// Such a bridge speaks STP to another group address, and forwards the BPDUs that other switches
// understand.
TEST_F(Vlan, GuardIsRefusedOnAProvidersBridge) {
    speak_stp("br0");
    write_file("/sys/class/net/br0/bridge/vlan_protocol", "0x88a8");
    std::optional<Guest> plain = start("", 1);
    await_forwarding(plain->tap);
    await_forwarding("trunk");
    const std::string bpdu = make_bpdu(mac_a);
    ASSERT_TRUE(plain->station.send(bpdu));
    EXPECT_TRUE(far().got(bpdu));
    plain.reset();
    ASSERT_TRUE(no_taps_left());
    for (const char* const options : {"guard", "guard vlan=20"}) {
        EXPECT_TRUE(failed_saying(ask(options, mac_a), "access denied by acl file",
                                  "bridge br0 speaks no 802.1D STP in the kernel"));
    }
    write_file("/sys/class/net/br0/bridge/vlan_protocol", "0x8100");
    EXPECT_TRUE(granted(ask("guard", mac_a)));
}

TEST_F(Vlan, WithoutItATagOnANonFilteringBridgePasses) {
    // This is why it is refused there.
    write_file(filtering_file, "0");
    const Guest guest = start("", 1);
    const std::string frame = make_frame(broadcast_mac, mac_a);
    ASSERT_TRUE(guest.station.send(tagged(frame, 30)));
    EXPECT_TRUE(far().got(tagged(frame, 30)));
}

// A kernel with modules runs modprobe for a link's name that it does not know, when one with
// CAP_NET_ADMIN asks by ioctl: some milliseconds of each start.
TEST_F(Vlan, NoModuleIsLookedForByAPortsName) {
    const std::string setting = "/proc/sys/kernel/modprobe";
    const std::string program = "/modprobe-of-a-test";
    const std::string asked = "/modules-asked-for";
    const std::string before = read_text(setting);
    write_file(program, "#!/bin/sh\necho \"$@\" >>" + asked + "\nexit 1\n", 0755);
    write_file(setting, program);
    start("vlan=20", 20);
    EXPECT_EQ(if_nametoindex("nosuch0"), 0U);
    write_file(setting, before);
    EXPECT_NE(read_text(asked).find("netdev-nosuch0"), std::string::npos) << "no such kernel";
    EXPECT_EQ(read_text(asked).find("netdev-tap"), std::string::npos) << read_text(asked);
}

}  // namespace
}  // namespace tapgate
