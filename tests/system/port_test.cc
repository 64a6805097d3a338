// SPDX-License-Identifier: GPL-2.0-or-later
//
// The port options of the policy, each proven with frames: what a tap's holder sends, and who gets
// it. Where a test says that a frame does not pass, another says that it does without the option,
// so that it could fail.
//
//     tap (guest) ---- br0 ---- uplink | far end, "the network"
//                       |
//                      host

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include <gmock/gmock.h>

#include "tests/system/netlink.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;
using testing::ElementsAre;
using testing::StartsWith;

constexpr const char* mac_a = "52:54:00:00:00:0a";
constexpr const char* mac_b = "52:54:00:00:00:0b";
constexpr const char* nobodys_mac = "52:54:00:00:00:ff";
constexpr const char* router_mac = "00:11:22:33:44:55";
constexpr const char* denied_by_this =
    "access denied by acl file: /etc/qemu/bridge.conf:1: allow br0";
// The lowest addresses there are: a bridge without an address of its own takes the lowest port's.
constexpr const char* lowest_mac = "00:00:00:00:00:01";

void check(bool ok, const std::string& what) {
    if (!ok)
        throw std::runtime_error(what + ": " + std::strerror(errno));
}

ifreq link_request(const std::string& name) {
    ifreq request{};
    name.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
    return request;
}

// As SIOCSIFHWADDR wants it. Any socket will do, and so will a tap's descriptor, for its holder.
int set_link_mac(int fd, const std::string& name, std::string_view mac) {
    ifreq request = link_request(name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    mac_bytes(mac).copy(static_cast<char*>(request.ifr_hwaddr.sa_data), 6);
    return ioctl(fd, SIOCSIFHWADDR, &request);
}

UniqueFd control_socket() {
    return UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// As most network cards do.
void leave_checksums_to_kernel(const std::string& link) {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ethtool_value off{.cmd = ETHTOOL_STXCSUM, .data = 0};
    ifreq request{};
    link.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(&off);
    check(ioctl(fd.get(), SIOCETHTOOL, &request) == 0, "ethtool -K " + link + " tx off");
}

struct Guest {
    UniqueFd fd;
    std::string tap;
    std::string mac;
    Station station;
};

// Some frames of each way in which a bridge delivers one, from one station to another.
struct Sample {
    const char* kind;
    std::string frame;
};

// Who sends and who gets a sample: a guest, or the network behind the uplink.
struct Party {
    const Station* station;
    std::string mac;
};

class Ports : public Testbed {
  protected:
    void SetUp() override {
        Testbed::SetUp();
        if (IsSkipped() || HasFatalFailure())
            return;
        add_bridge("br0");
        add_veth("uplink", "far");
        Rtnl().set_master("uplink", "br0");
        set_link_up("far");
        set_link_up("uplink");
        await_forwarding("uplink");
        network_.emplace(Station::link("far", {"br0"}));
    }

    static void set_bridge_option(const std::string& name, const std::string& value) {
        write_file("/sys/class/net/br0/bridge/" + name, value);
    }
    static void set_port_option(const std::string& port, const std::string& name,
                                const std::string& value) {
        write_file("/sys/class/net/" + port + "/brport/" + name, value);
    }

    static HelperResult ask(const std::vector<std::string>& more, const HelperOptions& options) {
        std::vector<std::string> args = {"--br=br0", "--fd=27"};
        args.insert(args.end(), more.begin(), more.end());
        return run_helper(args, options);
    }

    // A guest with that address, whose tap is as `options` of the rule say.
    static Guest start(const std::string& options, const std::string& mac) {
        write_policy("allow br0 " + options + "\n");
        HelperResult run = ask({"--mac=" + mac}, {});
        if (!granted(run))
            throw std::runtime_error(describe(run));
        UniqueFd fd = std::move(run.fds[0]);
        const int number = fd.get();
        Guest guest{std::move(fd), tap_name(number), mac, Station::tap(number, {"br0"})};
        // Where STP has its delay, some tests need no more than what the bridge takes meanwhile.
        if (link_attribute(guest.tap, "brport/state") == "3")
            guest.station.await_link();
        return guest;
    }

    static HelperResult ask_for(const std::string& options, const std::string& mac) {
        write_policy("allow br0 " + options + "\n");
        return ask({"--mac=" + mac}, {});
    }

    static Party party(const Guest& guest) { return {&guest.station, guest.mac}; }
    Party network() const { return {&*network_, router_mac}; }

    // Sends one frame of each kind; says which arrived.
    static std::vector<std::string> arriving(const Party& from, const Party& to) {
        std::vector<std::string> kinds;
        const auto attempt = [&](const char* kind, const std::string& frame) {
            check(from.station->send(frame), std::string("send ") + kind);
            if (to.station->got(frame))
                kinds.emplace_back(kind);
        };
        attempt("flooded", make_frame(nobodys_mac, from.mac));
        attempt("broadcast", make_frame(broadcast_mac, from.mac));
        attempt("multicast", make_frame(multicast_mac, from.mac));
        attempt("ARP", make_arp_request(from.mac, "192.0.2.1"));
        // The bridge learns where it is, if it ever does.
        check(to.station->send(make_frame(broadcast_mac, to.mac)), "send");
        attempt("unicast", make_frame(to.mac, from.mac));
        return kinds;
    }

    static AssertionResult reaches(const Party& from, const Party& to) {
        const std::vector<std::string> kinds = arriving(from, to);
        if (kinds.size() == 5)
            return AssertionSuccess();
        return AssertionFailure() << "only these arrive: " << testing::PrintToString(kinds);
    }
    static AssertionResult is_cut_off(const Party& from, const Party& to) {
        const std::vector<std::string> kinds = arriving(from, to);
        if (kinds.empty())
            return AssertionSuccess();
        return AssertionFailure() << "these arrive: " << testing::PrintToString(kinds);
    }
    static AssertionResult reach_each_other(const Party& a, const Party& b) {
        AssertionResult result = reaches(a, b);
        return result ? reaches(b, a) : result;
    }

    // Whether a frame with that source address passes from the guest to the network.
    bool passes(const Guest& guest, std::string_view source) const {
        const std::string broadcast = make_frame(broadcast_mac, source);
        const std::string unicast = make_frame(router_mac, source);
        check(guest.station.send(broadcast) && guest.station.send(unicast), "send");
        const bool first = network_->got(broadcast);
        check(guest.station.send(unicast), "send");
        const bool second = network_->got(unicast);
        EXPECT_EQ(first, second) << "broadcast and unicast differ";
        return first || second;
    }

    static unsigned port_number(const std::string& port) {
        const std::string text = link_attribute(port, "brport/port_no");
        return text.empty() ? 0U : static_cast<unsigned>(std::stoul(text, nullptr, 16));
    }

    // The port behind which the bridge believes `mac` to be; "" for none, "br0" for the bridge.
    static std::string where_is(const std::string& mac) {
        for (const FdbEntry& entry : forwarding_database("br0")) {
            if (entry.mac != mac)
                continue;
            for (const std::string& port : ports("br0")) {
                if (port_number(port) == entry.port)
                    return port;
            }
            return "br0";
        }
        return "";
    }

    // The kernel takes some ms to remove what belonged to a tap.
    static bool forgets(const std::string& mac) {
        for (int i = 0; i < 200 && !where_is(mac).empty(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return where_is(mac).empty();
    }

    const Station& far() const { return *network_; }

  private:
    OneCpu one_cpu_;
    std::optional<Station> network_;
};

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
    HelperResult run = ask({"--queues=4"}, {});
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
    void SetUp() override {
        Ports::SetUp();
        if (!IsSkipped() && !HasFatalFailure())
            speak_stp("br0");
    }

    // Whether the bridge takes the sender of a better BPDU for the root now.
    static bool moves_the_root(const Guest& guest) {
        const std::string before = link_attribute("br0", "bridge/root_id");
        check(guest.station.send(make_bpdu(guest.mac)), "send BPDU");
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
    set_port_option(guest.tap, "bpdu_guard", "0");
    EXPECT_FALSE(moves_the_root(guest));
    set_port_option(guest.tap, "root_block", "0");
    EXPECT_TRUE(moves_the_root(guest));
}

TEST_F(Guard, AlsoTogetherWithMacLock) {
    EXPECT_FALSE(moves_the_root(start("guard mac-lock", mac_a)));
}

TEST_F(Guard, FramesPassAllTheSame) {
    const Guest guest = start("guard", mac_a);
    await_forwarding(guest.tap);
    EXPECT_TRUE(reach_each_other(party(guest), network()));
}

// The kernel forwards BPDUs there like any frame, to a switch behind the uplink too.
TEST_F(Guard, IsRefusedWhereTheBridgeDoesNotSpeakStp) {
    set_bridge_option("stp_state", "0");
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

// --- The bridge's own MAC address

// What root sets while a port is made is not undone by it.
TEST_F(Ports, RootsNewAddressOfTheBridgeStays) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0 contain\n");
    bool done = false;
    const HelperResult run = run_traced({"--br=br0", "--fd=27"}, {}, [&](const TracedCall& call) {
        if (!done && call_name(call.number) == "ioctl" && call.args[1] == TUNSETIFF) {
            done = true;
            Rtnl().set_address("br0", router_mac);
        }
        return TraceAction{};
    });
    EXPECT_TRUE(done);
    EXPECT_TRUE(granted(run)) << describe(run);
    EXPECT_EQ(link_attribute("br0", "address"), router_mac);
}

// Nor by a caller who keeps the helper from seeing that root has set it.
TEST_F(Ports, AnAddressThatMayBeRootsIsNotTakenForAFreeOne) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0\n");
    bool after_tap = false;
    const HelperResult run = run_traced({"--br=br0", "--fd=27"}, {}, [&](const TracedCall& call) {
        TraceAction action;
        if (call_name(call.number) == "ioctl" && call.args[1] == TUNSETIFF)
            after_tap = true;
        if (after_tap && call_name(call.number) == "openat")
            action.fail_with = EMFILE;
        return action;
    });
    EXPECT_TRUE(failed(run, "failed to read /sys/class/net/br0/addr_assign_type")) << describe(run);
    EXPECT_TRUE(no_taps_left());
}

// --- Mac-lock

TEST_F(Ports, MacLockLetsTheAssignedAddressSendAndReceive) {
    const Guest a = start("mac-lock", mac_a);
    const Guest b = start("mac-lock", mac_b);
    EXPECT_TRUE(passes(a, mac_a));
    EXPECT_TRUE(reaches(party(a), network()));
    // All but what is flooded.
    const std::vector<std::string> its_own{"broadcast", "multicast", "ARP", "unicast"};
    EXPECT_EQ(arriving(network(), party(a)), its_own);
    EXPECT_EQ(arriving(party(a), party(b)), its_own);
    EXPECT_EQ(arriving(party(b), party(a)), its_own);
}

TEST_F(Ports, MacLockTheGuestGetsItsFirstFrameBeforeItSentAny) {
    const Guest guest = start("mac-lock", mac_a);
    const std::string arp = make_arp_request(router_mac, "192.0.2.10");
    ASSERT_TRUE(far().send(arp));
    EXPECT_TRUE(guest.station.got(arp));
    const std::string unicast = make_frame(mac_a, router_mac);
    ASSERT_TRUE(far().send(unicast));
    EXPECT_TRUE(guest.station.got(unicast));
}

// A bridge floods what is for somebody of whom it has not heard for minutes, or for seconds where a
// spanning tree has just changed.
TEST_F(Ports, MacLockGetsNothingThatIsForAnother) {
    const Guest locked = start("mac-lock isolated", mac_a);
    const Guest other = start("isolated", mac_b);
    const std::string for_somebody = make_frame(nobodys_mac, router_mac);
    ASSERT_TRUE(far().send(for_somebody));
    EXPECT_TRUE(other.station.got(for_somebody));
    ASSERT_TRUE(far().send(for_somebody));
    EXPECT_FALSE(locked.station.got(for_somebody));
    const std::string for_all = make_frame(multicast_mac, router_mac);
    ASSERT_TRUE(far().send(for_all));
    EXPECT_TRUE(locked.station.got(for_all));
}

TEST_F(Ports, MacLockDropsEveryOtherSource) {
    const Guest guest = start("mac-lock", mac_a);
    const Guest other = start("mac-lock", mac_b);
    const std::string router = make_frame(broadcast_mac, router_mac);
    ASSERT_TRUE(far().send(router));
    for (const std::string& source :
         {std::string(nobodys_mac), std::string(mac_b), std::string(router_mac),
          std::string("52:54:00:00:00:0c"), link_attribute("br0", "address"),
          link_attribute(guest.tap, "address"), link_attribute(other.tap, "address"),
          std::string("00:00:00:00:00:00"), std::string("01:00:5e:00:00:01"),
          std::string(broadcast_mac)}) {
        EXPECT_FALSE(passes(guest, source)) << source;
    }
    EXPECT_TRUE(passes(guest, mac_a));
    EXPECT_EQ(where_is(router_mac), "uplink");
    EXPECT_EQ(where_is(mac_b), other.tap);
    EXPECT_EQ(where_is(mac_a), guest.tap);
}

// A guest says where in a frame the kernel is to put a checksum in as it leaves: what is there is
// no longer what the bridge saw.
TEST_F(Ports, MacLockHoldsAgainstAChecksumInThePlaceOfTheSource) {
    write_policy("allow br0 mac-lock\n");
    HelperResult run = ask({"--use-vnet", std::string("--mac=") + mac_a}, {});
    ASSERT_TRUE(granted(run));
    leave_checksums_to_kernel("uplink");
    const std::string frame = make_frame(broadcast_mac, mac_a);
    const auto arrived = [&](unsigned checksum_at) {
        // linux/virtio_net.h, which C++ cannot read: the flag that there is one, and where.
        struct {
            std::uint8_t flags = 1;
            std::uint8_t segments = 0;
            std::array<std::uint16_t, 2> sizes{};
            std::uint16_t start = 0;
            std::uint16_t offset = 0;
        } header;
        header.start = static_cast<std::uint16_t>(checksum_at);
        std::string packet(reinterpret_cast<const char*>(&header), sizeof header);
        packet += frame;
        // The kernel may refuse to put it there.
        static_cast<void>(write(run.fds[0].get(), packet.data(), packet.size()));
        return far().take_out();
    };
    // README tells of that, while a kernel does it: so the rest would be noticed.
    constexpr unsigned behind_the_header = 20;
    std::string changed = frame;
    changed.replace(behind_the_header, 2, internet_checksum(frame.substr(behind_the_header)));
    bool is_up = false;  // a contained tap takes a moment
    for (int tries = 0; tries < 100 && !is_up; ++tries)
        is_up = testing::Value(arrived(behind_the_header), testing::Contains(changed));
    EXPECT_TRUE(is_up);
    const std::string rest = frame.substr(14);
    for (unsigned at = 0; at < 12; ++at) {
        for (const std::string& got : arrived(at)) {
            if (got.ends_with(rest)) {
                EXPECT_EQ(got.substr(6, 6), mac_bytes(mac_a)) << at;
            }
        }
    }
}

TEST_F(Ports, MacLockHoldsWhenTheHolderGivesTheTapAnotherAddress) {
    const Guest guest = start("mac-lock", mac_a);
    ASSERT_EQ(set_link_mac(guest.fd.get(), guest.tap, nobodys_mac), 0);
    EXPECT_EQ(where_is(nobodys_mac), "") << "the tap is not the port";
    EXPECT_FALSE(passes(guest, nobodys_mac));
    EXPECT_TRUE(passes(guest, mac_a));
    ASSERT_EQ(set_link_mac(guest.fd.get(), guest.tap, mac_b), 0);
    EXPECT_FALSE(passes(guest, nobodys_mac));
    EXPECT_FALSE(passes(guest, mac_b));
}

TEST_F(Ports, MacLockDropsASourceThatWasLearntBefore) {
    // By a tap of the same user that is not locked and still there, and by one that is gone.
    std::optional<Guest> gone = start("", nobodys_mac);
    const Guest earlier = start("", "52:54:00:00:00:0e");
    EXPECT_TRUE(passes(*gone, nobodys_mac));
    EXPECT_TRUE(passes(earlier, "52:54:00:00:00:0e"));
    EXPECT_TRUE(passes(earlier, "52:54:00:00:00:0f"));
    gone.reset();
    const Guest guest = start("mac-lock", mac_a);
    EXPECT_FALSE(passes(guest, nobodys_mac));
    EXPECT_FALSE(passes(guest, "52:54:00:00:00:0e"));
    EXPECT_FALSE(passes(guest, "52:54:00:00:00:0f"));
    EXPECT_TRUE(passes(guest, mac_a));
    EXPECT_FALSE(passes(guest, nobodys_mac)) << "learnt by now";
}

TEST_F(Ports, MacLockDropsTaggedFramesOfOthersToo) {
    const Guest guest = start("mac-lock", mac_a);
    const std::string own = make_frame(broadcast_mac, mac_a, 7);
    const std::string spoofed = make_frame(broadcast_mac, nobodys_mac, 7);
    ASSERT_TRUE(guest.station.send(own) && guest.station.send(spoofed));
    EXPECT_TRUE(far().got(own)) << "a bridge without VLAN filtering forwards tags";
    ASSERT_TRUE(guest.station.send(spoofed));
    EXPECT_FALSE(far().got(spoofed));
}

TEST_F(Ports, MacLockNobodyElseTakesTheAddressOver) {
    const Guest guest = start("mac-lock", mac_a);
    const Guest thief = start("", mac_b);
    // A frame with that source from elsewhere: of an unlocked port, and of the network.
    ASSERT_TRUE(thief.station.send(make_frame(broadcast_mac, mac_a)));
    ASSERT_TRUE(far().send(make_frame(broadcast_mac, mac_a)));
    EXPECT_EQ(where_is(mac_a), guest.tap);
    EXPECT_TRUE(passes(guest, mac_a));
    const std::string frame = make_frame(mac_a, router_mac);
    ASSERT_TRUE(far().send(frame));
    EXPECT_TRUE(guest.station.got(frame));
    ASSERT_TRUE(far().send(frame));
    EXPECT_FALSE(thief.station.got(frame));
}

TEST_F(Ports, MacLockEntryGoesWithTheTap) {
    std::optional<Guest> guest = start("mac-lock", mac_a);
    const Guest other = start("", mac_b);
    EXPECT_EQ(where_is(mac_a), guest->tap);
    ASSERT_TRUE(other.station.send(make_frame(broadcast_mac, mac_a)));
    ASSERT_TRUE(far().send(make_frame(broadcast_mac, mac_a)));
    guest.reset();
    EXPECT_TRUE(forgets(mac_a)) << where_is(mac_a);
    // And can be had again.
    EXPECT_TRUE(passes(start("mac-lock", mac_a), mac_a));
}

TEST_F(Ports, MacLockRefusesWithoutAnAddressAndSaysWhatToDo) {
    write_policy("allow br0 mac-lock\n");
    const HelperResult run = ask({}, {});
    EXPECT_TRUE(failed(run, std::string(denied_by_this) + " mac-lock: "));
    EXPECT_TRUE(failed_saying(run, "", "`tapgate run'"));
    EXPECT_TRUE(failed_saying(run, "", "tapgate-helper --mac=MAC\""));
}

TEST_F(Ports, MacLockPrefix) {
    EXPECT_TRUE(passes(start("mac-lock=52:54:00", mac_a), mac_a));
    EXPECT_TRUE(passes(start("mac-lock=52:54:00:00:00:0b", mac_b), mac_b));
    ASSERT_TRUE(no_taps_left());
    for (const char* mac : {"52:54:01:00:00:0a", "02:54:00:00:00:0a", "50:54:00:00:00:0a"}) {
        EXPECT_TRUE(failed_saying(ask_for("mac-lock=52:54:00", mac), denied_by_this,
                                  std::string("--mac=") + mac + " does not begin with 52:54:00"));
    }
    // Whatever the case of the letters.
    EXPECT_TRUE(granted(ask_for("mac-lock=AA:BB", "aa:bb:00:00:00:01")));
    EXPECT_TRUE(granted(ask_for("mac-lock=aa:bb", "AA:BB:00:00:00:01")));
}

TEST_F(Ports, MacLockRefusesAnAddressThatTheTapHasItself) {
    EXPECT_TRUE(failed_saying(ask_for("mac-lock", "fe:54:00:00:00:0a"), denied_by_this,
                              "--mac=fe:54:00:00:00:0a begins with fe, as the tap's own address"));
}

AssertionResult says_taken(const HelperResult& run) {
    if (run.exit_status == 1 && run.fds.empty() &&
        run.err.find("mac-lock: another machine on the bridge has this MAC address") !=
            std::string::npos) {
        return AssertionSuccess();
    }
    return AssertionFailure() << describe(run);
}

TEST_F(Ports, MacLockRefusesAnAddressThatIsTaken) {
    const Guest locked = start("mac-lock", mac_a);
    const Guest plain = start("", mac_b);
    ASSERT_TRUE(plain.station.send(make_frame(broadcast_mac, mac_b)));
    ASSERT_TRUE(far().send(make_frame(broadcast_mac, router_mac)));
    const std::vector<std::string> before = taps();
    EXPECT_TRUE(says_taken(ask_for("mac-lock", mac_a))) << "of a locked tap";
    EXPECT_TRUE(says_taken(ask_for("mac-lock", mac_b))) << "of a tap that sent with it";
    EXPECT_TRUE(says_taken(ask_for("mac-lock", router_mac))) << "behind the uplink";
    EXPECT_TRUE(says_taken(ask_for("mac-lock", link_attribute("br0", "address"))))
        << "the bridge's";
    EXPECT_TRUE(says_taken(ask_for("mac-lock", link_attribute("uplink", "address"))))
        << "the uplink's";
    EXPECT_EQ(taps(), before);
    // Who had them has them still.
    EXPECT_EQ(where_is(mac_a), locked.tap);
    EXPECT_EQ(where_is(mac_b), plain.tap);
    EXPECT_EQ(where_is(router_mac), "uplink");
    EXPECT_TRUE(passes(locked, mac_a));
}

TEST_F(Ports, MacLockOneOfManyWhoWantTheSameAddressGetsIt) {
    write_policy("allow br0 mac-lock\n");
    std::vector<std::unique_ptr<HelperProcess>> helpers;
    helpers.reserve(20);
    for (int i = 0; i < 20; ++i) {
        helpers.push_back(std::make_unique<HelperProcess>(
            std::vector<std::string>{"--br=br0", "--fd=27", std::string("--mac=") + mac_a},
            HelperOptions{}));
    }
    std::vector<UniqueFd> fds;
    for (const auto& helper : helpers) {
        HelperResult run = helper->finish();
        if (run.exit_status == 0) {
            fds.push_back(std::move(run.fds.at(0)));
        } else {
            EXPECT_TRUE(says_taken(run));
        }
    }
    EXPECT_EQ(fds.size(), 1U);
}

// --- Kernels that lack an option

// Changes what the kernel answers the helper, before that sees it.
void change_answer(const TracedCall& call, std::int64_t size,
                   const std::function<void(std::string& answer)>& change) {
    if (call.number != SYS_recvfrom || size <= 0)
        return;
    std::string answer(static_cast<std::size_t>(size), '\0');
    iovec here{answer.data(), answer.size()};
    iovec there{reinterpret_cast<void*>(call.args[1]),  // NOLINT(performance-no-int-to-ptr)
                answer.size()};
    check(process_vm_readv(call.pid, &here, 1, &there, 1, 0) == size, "process_vm_readv");
    change(answer);
    check(process_vm_writev(call.pid, &here, 1, &there, 1, 0) == size, "process_vm_writev");
}

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

// udev gives a new link an address of its own (MACAddressPolicy=), and may do so between the
// helper's change and its question. Here the kernel tells of such an address `times` times.
TEST_F(Ports, AnAddressThatUdevSetsMeanwhileIsSetOnceMore) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    write_policy("allow br0\n");
    const auto run = [](int times) {
        return run_traced(
            {"--br=br0", "--fd=27", std::string("--mac=") + mac_a}, {},
            [](const TracedCall&) { return TraceAction{}; },
            [&](const TracedCall& call, std::int64_t result) {
                change_answer(call, result, [&](std::string& answer) {
                    const std::size_t at = answer.find(mac_bytes("fe:54:00:00:00:0a"));
                    if (at != std::string::npos && times-- > 0)
                        answer[at] = '\x02';
                });
            });
    };
    EXPECT_TRUE(granted(run(1)));
    EXPECT_TRUE(failed_saying(run(100), "failed to add interface `tap2001-",
                              "the MAC address is not what was set"));
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
        const HelperResult run = run_traced(
            args, {}, [](const TracedCall&) { return TraceAction{}; },
            [&](const TracedCall& call, std::int64_t result) {
                forget_flag(call, result, c.flag);
            });
        EXPECT_TRUE(failed_saying(run, "failed to add interface `tap2001-", c.says)) << c.option;
        // Who did not ask for it does not need it.
        write_policy("allow br0\n");
        EXPECT_TRUE(granted(run_traced(
            args, {}, [](const TracedCall&) { return TraceAction{}; },
            [&](const TracedCall& call, std::int64_t result) {
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

// --- The bridge's own MAC

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

    // What a holder can do without privilege.
    static void set_tap_mac(const HelperResult& run, std::string_view to) {
        const int fd = run.fds.at(0).get();
        check(set_link_mac(fd, tap_name(fd), to) == 0, "SIOCSIFHWADDR");
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
    ASSERT_EQ(set_link_mac(control_socket().get(), "br0", "02:11:22:33:44:55"), 0);
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

// --- Limits and options together

TEST_F(Ports, QueuesLimit) {
    write_policy("allow br0 queues=2\n");
    EXPECT_TRUE(granted(ask({}, {})));
    EXPECT_TRUE(granted(ask({"--queues=2"}, {}), 2));
    EXPECT_TRUE(failed(ask({"--queues=3"}, {}),
                       std::string(denied_by_this) + " queues=2: --queues=3 is more than 2\n"));
}

TEST_F(Ports, ATapOfManyQueuesIsOneTap) {
    write_policy("allow br0 max-taps=2 queues=4\n");
    const HelperResult first = ask({"--queues=4"}, {});
    ASSERT_TRUE(granted(first, 4));
    const HelperResult second = ask({"--queues=4"}, {});
    ASSERT_TRUE(granted(second, 4));
    const HelperResult third = ask({"--queues=4"}, {});
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
    EXPECT_TRUE(failed(ask({std::string("--mac=") + mac_a}, {}),
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
    EXPECT_EQ(link_attribute(tap, "ifalias"), "tapgate uid=2001 vm=web");

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
