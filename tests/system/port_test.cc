// SPDX-License-Identifier: GPL-2.0-or-later
//
// The port options of the policy, each proven with frames: what a tap's holder sends, and who gets
// it. Where a test says that a frame does not pass, another says that it does without the option,
// so that it could fail. (mac-lock is in mac_lock_test.cc.)

#include <net/if.h>
#include <sys/ioctl.h>

#include <linux/if_link.h>
#include <linux/if_tun.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/hostile.h"
#include "tests/system/ports.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

using testing::StartsWith;

// --- No option

TEST_F(Ports, WithoutOptionsAllReachAll) {
    const Guest a = start("", mac_a);
    const Guest b = start("", mac_b);
    EXPECT_TRUE(reach_each_other(party(a), party(b)));
    EXPECT_TRUE(reach_each_other(party(a), network()));
    EXPECT_TRUE(passes(a, mac_a));
    EXPECT_TRUE(passes(a, nobodys_mac));
}

// --- Isolated

TEST_F(Ports, IsolatedPortsReachTheUplinkAndNotEachOther) {
    const Guest a = start("isolated", mac_a);
    const Guest b = start("isolated", mac_b);
    EXPECT_TRUE(is_cut_off(party(a), party(b)));
    EXPECT_TRUE(is_cut_off(party(b), party(a)));
    EXPECT_TRUE(reach_each_other(party(a), network()));
    EXPECT_TRUE(reach_each_other(party(b), network()));
    const Station host = Station::link("br0", {"far"});
    const std::string host_mac = link_attribute("br0", "address");
    for (const std::string_view to :
         {std::string_view(broadcast_mac), std::string_view(host_mac)}) {
        const std::string frame = make_frame(to, mac_a);
        ASSERT_TRUE(a.station.send(frame));
        EXPECT_TRUE(host.got(frame)) << to;
    }
}

TEST_F(Ports, AnIsolatedPortReachesOneThatIsNot) {
    const Guest a = start("isolated", mac_a);
    const Guest b = start("", mac_b);
    EXPECT_TRUE(reach_each_other(party(a), party(b)));
}

TEST_F(Ports, IsolatedPortsOfManyQueuesAreCutOffToo) {
    const Guest a = start("isolated", mac_a);
    write_policy("allow br0 isolated\n");
    HelperResult run = ask({"--queues=4"});
    ASSERT_TRUE(granted(run, 4));
    for (const UniqueFd& queue : run.fds) {
        const std::string frame = make_frame(broadcast_mac, mac_b);
        ASSERT_TRUE(Station::tap(queue.get(), {"br0"}).send(frame));
        EXPECT_TRUE(far().got(frame));
        EXPECT_FALSE(a.station.got(frame));
    }
}

// --- Guard

class Guard : public Ports {
  protected:
    void prepare() override {
        Ports::prepare();
        speak_stp("br0");
    }

    static void clear_port_flag(const Guest& guest, const std::string& name) {
        write_file("/sys/class/net/" + guest.tap + "/brport/" + name, "0");
    }

    // Whether the bridge takes the guest for the root when that sends a better BPDU.
    static bool moves_the_root(const Guest& guest) {
        const std::string before = link_attribute("br0", "bridge/root_id");
        check_call(guest.station.send(make_bpdu(guest.mac)), "send BPDU");
        const std::string after = link_attribute("br0", "bridge/root_id");
        if (after == before)
            return false;
        EXPECT_THAT(after, StartsWith("0000.5254"));
        return true;
    }
};

TEST_F(Guard, WithoutItABpduMovesTheRoot) {
    EXPECT_TRUE(moves_the_root(start("", mac_a)));
}

TEST_F(Guard, ABpduDoesNotMoveTheRoot) {
    const Guest guest = start("guard", mac_a);
    EXPECT_FALSE(moves_the_root(guest));
    EXPECT_EQ(link_attribute(guest.tap, "brport/state"), "0") << "BPDU guard shuts the port";
    EXPECT_EQ(link_attribute("br0", "bridge/root_port"), "0");
}

TEST_F(Guard, NotEvenFromAHolderWhoBringsThePortBack) {
    const Guest guest = start("plain guard", mac_a);
    EXPECT_FALSE(moves_the_root(guest));
    // Losing and finding the carrier opens a shut port, and needs no privilege.
    int carrier = 0;
    ASSERT_EQ(ioctl(guest.fd.get(), TUNSETCARRIER, &carrier), 0);
    carrier = 1;
    ASSERT_EQ(ioctl(guest.fd.get(), TUNSETCARRIER, &carrier), 0);
    for (int i = 0; i < 200 && link_attribute(guest.tap, "brport/state") == "0"; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_NE(link_attribute(guest.tap, "brport/state"), "0");
    EXPECT_FALSE(moves_the_root(guest));
    EXPECT_EQ(link_attribute(guest.tap, "brport/state"), "0");
}

TEST_F(Guard, RootBlockHoldsByItself) {
    const Guest guest = start("guard", mac_a);
    clear_port_flag(guest, "bpdu_guard");
    EXPECT_FALSE(moves_the_root(guest));
    clear_port_flag(guest, "root_block");
    EXPECT_TRUE(moves_the_root(guest));
}

TEST_F(Guard, AlsoTogetherWithMacLock) {
    EXPECT_FALSE(moves_the_root(start("guard mac-lock", mac_a)));
}

// The kernel does not speak these, and so takes them for nothing that shuts a port.
TEST_F(Guard, BpdusOfRstpAndMstpGoNowhere) {
    const Guest guest = start("guard", mac_a);
    await_forwarding(guest.tap);
    const std::string root = link_attribute("br0", "bridge/root_id");
    for (const char version : {'\2', '\3'}) {
        std::string bpdu = make_bpdu(mac_a);
        bpdu.at(19) = version;  // behind the header of Ethernet, that of LLC, and two bytes
        ASSERT_TRUE(guest.station.send(bpdu));
        EXPECT_FALSE(far().got(bpdu));
        EXPECT_EQ(link_attribute(guest.tap, "brport/state"), "3");
        EXPECT_EQ(link_attribute("br0", "bridge/root_id"), root);
    }
}

TEST_F(Guard, FramesPassAllTheSame) {
    const Guest guest = start("guard", mac_a);
    await_forwarding(guest.tap);
    EXPECT_TRUE(reach_each_other(party(guest), network()));
}

// The kernel takes these for frames like any.
TEST_F(Guard, BpdusOfPvstDoNotPass) {
    std::vector<Guest> guests;
    const std::array options = {"", "guard", "plain guard", "guard isolated queues=2"};
    for (const char* const one : options)
        guests.push_back(start(one, "52:54:00:00:01:0" + std::to_string(guests.size())));
    for (const Guest& guest : guests)
        await_forwarding(guest.tap);
    await_forwarding("uplink");
    for (std::size_t i = 0; i < options.size(); i++) {
        const Guest& guest = guests[i];
        const auto passes = [&](const std::string& frame) {
            EXPECT_TRUE(guest.station.send(frame));
            return far().got(frame);
        };
        const std::string pvst = make_frame("01:00:0c:cc:cc:cd", guest.mac);
        for (const std::string& bpdu :
             {pvst, tagged(pvst, 0), tagged(pvst, 7), tagged(tagged(pvst, 7), 8),
              make_frame("01:00:0c:cc:cc:cd", nobodys_mac)})
            EXPECT_EQ(passes(bpdu), i == 0) << options[i];
        // What only looks like them.
        for (const std::string_view to :
             {std::string_view("01:00:0c:cc:cc:cc"), std::string_view("01:00:0d:cc:cc:cd"),
              std::string_view("01:02:0c:cc:cc:cd"), std::string_view("03:00:0c:cc:cc:cd"),
              std::string_view(router_mac), std::string_view(broadcast_mac)})
            EXPECT_TRUE(passes(make_frame(to, guest.mac))) << options[i] << ' ' << to;
    }
}

// The kernel forwards BPDUs there like any frame, to a switch behind the uplink too.
TEST_F(Guard, IsRefusedWhereTheBridgeDoesNotSpeakStp) {
    write_file("/sys/class/net/br0/bridge/stp_state", "0");
    const std::string bpdu = make_bpdu(mac_a);
    const Guest plain = start("", mac_b);
    ASSERT_TRUE(plain.station.send(bpdu));
    EXPECT_TRUE(far().got(bpdu));
    const HelperResult run = ask_for("guard", mac_a);
    EXPECT_EQ(run.exit_status, 1);
    EXPECT_EQ(run.err, std::string(denied_by_this) +
                           " guard: bridge br0 speaks no 802.1D STP in the kernel, so guard would "
                           "keep nothing back: "
                           "ip link set br0 type bridge stp_state 1 vlan_protocol 802.1Q\n");
}

// --- Kernels that lack an option

// Takes a port flag out of the kernel's answers, as if it did not know it: an attribute of type 0
// is one that every reader skips.
void forget_flag(const TracedCall& call, std::int64_t size, std::uint16_t flag) {
    change_answer(call, size, [flag](std::string& answer) {
        std::string head("\x05\0", 2);  // five bytes: this head, and a flag
        head.append({static_cast<char>(flag), '\0'});
        for (std::size_t at = 0; (at = answer.find(head, at)) != std::string::npos; at += 4)
            answer[at + 2] = '\0';
    });
}

// udev gives a new link an address (MACAddressPolicy=), perhaps between the helper's change and its
// check of that. Here the kernel's answer has such an address `times` times.
TEST_F(Ports, AnAddressThatUdevSetsMeanwhileIsSetOnceMore) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0\n");
    const auto run = [](int times) {
        return run_traced(usual_args, {}, let_pass,
                          [&](const TracedCall& call, std::int64_t result) {
                              change_answer(call, result, [&](std::string& answer) {
                                  const std::string own("\x0a\0\x01\0\xfe", 5);  // IFLA_ADDRESS
                                  const std::size_t at = answer.find(own);
                                  if (at != std::string::npos && times-- > 0)
                                      answer[at + 4] = '\x02';
                              });
                          });
    };
    EXPECT_TRUE(granted(run(1)));
    EXPECT_TRUE(failed_saying(run(100), "failed to add interface `tap2001-",
                              "the MAC address is not what was set"));
}

// Its user may be in the tap's namespace by then, and delete the pair. Some kernels let him have a
// link of his own in the host's network, of that ifindex, and up. (abuse_half_made_test.cc has what
// he gains if he goes on inside; this one is for a guest's kernel, too.)
TEST_F(Ports, NoLinkOfAnotherNameTakesThePortsPlace) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0 max-taps=1 isolated\n");
    const std::vector<std::string> before = ports("br0");
    bool swapped = false;
    std::vector<std::string> others;
    const HelperResult run = run_traced(usual_args, {}, [&](const TracedCall&) {
        const std::vector<std::string> made = taps();
        if (!swapped && !made.empty()) {
            const unsigned index = if_nametoindex(made[0].c_str());
            remove_link(made[0]);
            EXPECT_EQ(add_link("veth", "other", index), 0);
            set_link_up("other");
            swapped = true;
        }
        for (const std::string& port : ports("br0"))
            if (!port.starts_with("tap") && !testing::Value(before, testing::Contains(port)))
                others.push_back(port);
        return TraceAction{};
    });
    EXPECT_TRUE(swapped);
    EXPECT_THAT(others, testing::IsEmpty());
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_TRUE(no_taps_left());
}

TEST_F(Ports, AnOptionThatTheKernelDoesNotKnowIsARefusal) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    speak_stp("br0");
    struct Case {
        const char* option;
        std::uint16_t flag;
        const char* says;
    };
    for (const Case& c :
         {Case{"isolated", IFLA_BRPORT_ISOLATED, "does not know the port option isolated"},
          Case{"guard", IFLA_BRPORT_GUARD, "does not know the port option guard"},
          Case{"guard", IFLA_BRPORT_PROTECT, "does not know the port option guard"},
          Case{"mac-lock", IFLA_BRPORT_LOCKED, "does not know the port option mac-lock"},
          Case{"mac-lock", IFLA_BRPORT_LEARNING, "the learning flag is not what was set"}}) {
        write_policy(std::string("allow br0 ") + c.option + "\n");
        const std::vector<std::string> args = {"--br=br0", "--fd=27",
                                               std::string("--mac=") + mac_a};
        const HelperResult run =
            run_traced(args, {}, let_pass, [&](const TracedCall& call, std::int64_t result) {
                forget_flag(call, result, c.flag);
            });
        EXPECT_TRUE(failed_saying(run, "failed to add interface `tap2001-", c.says)) << c.option;
        // A rule without the option needs nothing of that.
        write_policy("allow br0\n");
        EXPECT_TRUE(granted(
            run_traced(args, {}, let_pass, [&](const TracedCall& call, std::int64_t result) {
                forget_flag(call, result, c.flag);
            })));
    }
}

// --- Vlan, where the bridge does not filter

TEST_F(Ports, VlanIsRefusedOnABridgeThatDoesNotFilter) {
    EXPECT_TRUE(failed_saying(
        ask_for("vlan=20", mac_a), std::string(denied_by_this) + " vlan=20: ",
        "bridge br0 does not filter VLANs, so vlan=20 would mean nothing: ip link set br0 type "
        "bridge vlan_filtering 1"));
}

// --- Limits and options together

TEST_F(Ports, QueuesLimit) {
    write_policy("allow br0 queues=2\n");
    EXPECT_TRUE(granted(ask({})));
    EXPECT_TRUE(granted(ask({"--queues=2"}), 2));
    EXPECT_TRUE(failed(ask({"--queues=3"}),
                       std::string(denied_by_this) + " queues=2: --queues=3 is more than 2\n"));
}

TEST_F(Ports, ATapOfManyQueuesIsOneTap) {
    write_policy("allow br0 max-taps=2 queues=4\n");
    const HelperResult first = ask({"--queues=4"});
    ASSERT_TRUE(granted(first, 4));
    const HelperResult second = ask({"--queues=4"});
    ASSERT_TRUE(granted(second, 4));
    const HelperResult third = ask({"--queues=4"});
    EXPECT_EQ(third.exit_status, 1);
    EXPECT_EQ(third.err, std::string(denied_by_this) +
                             " max-taps=2 queues=4: uid 2001 has all its taps on br0 already\n");
    EXPECT_EQ(taps().size(), 2U);
}

TEST_F(Ports, AllOptionsTogether) {
    const std::string rule =
        "allow br0 group=students max-taps=2 queues=2 isolated guard mac-lock\n";
    write_policy(rule);
    speak_stp("br0");
    HelperOptions student;
    student.groups = {students_gid};
    EXPECT_TRUE(failed(ask({std::string("--mac=") + mac_a}),
                       "access denied by acl file: /etc/qemu/bridge.conf: no rule allows br0"));
    HelperResult one = ask({std::string("--mac=") + mac_a, "--queues=2"}, student);
    ASSERT_TRUE(granted(one, 2));
    HelperResult two = ask({std::string("--mac=") + mac_b, "--vm=web"}, student);
    ASSERT_TRUE(granted(two));
    EXPECT_EQ(ask({std::string("--mac=") + nobodys_mac}, student).exit_status, 1);

    const std::string tap = tap_name(two.fds[0].get());
    await_forwarding(tap_name(one.fds[0].get()));
    await_forwarding(tap);
    for (const char* flag : {"isolated", "bpdu_guard", "root_block"}) {
        EXPECT_EQ(link_attribute(tap, std::string("brport/") + flag), "1") << flag;
    }
    EXPECT_EQ(link_attribute(tap, "brport/learning"), "0");
    EXPECT_EQ(link_attribute(tap, "ifalias"), std::string("tapgate uid=2001 vm=web mac=") + mac_b);

    Guest a{std::move(one.fds[0]), "", mac_a, Station::tap(one.fds[1].get(), {"br0"})};
    Guest b{std::move(two.fds[0]), tap, mac_b, Station::tap(two.fds[0].get(), {"br0"})};
    b.station = Station::tap(b.fd.get(), {"br0"});
    EXPECT_TRUE(passes(a, mac_a));
    EXPECT_FALSE(passes(a, mac_b));
    EXPECT_TRUE(passes(b, mac_b));
    EXPECT_FALSE(passes(b, mac_a));
    const std::string between = make_frame(mac_b, mac_a);
    ASSERT_TRUE(a.station.send(between));
    EXPECT_FALSE(b.station.got(between));
    const std::string down = make_frame(mac_b, router_mac);
    ASSERT_TRUE(far().send(down));
    EXPECT_TRUE(b.station.got(down));
}

}  // namespace
}  // namespace tapgate
