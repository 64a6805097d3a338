// SPDX-License-Identifier: GPL-2.0-or-later
//
// What goes through a contained tap: all that its bridge lets through, both ways, as through a
// plain one. (What its holder cannot do with it: abuse_contained_test.cc.)
//
//     tap === leaf bridge === inner end | outer end ---- br0 ---- uplink | far end, "the network"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cstring>
#include <sstream>

#include <gmock/gmock.h>

#include "tests/system/hostile.h"
#include "tests/system/netlink.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

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
    void prepare() override {
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

    // The frame that `make(to, from)` makes has to arrive in both directions.
    static void expect_both_ways(
        const std::string& what,
        const std::function<std::string(std::string_view, std::string_view)>& make) {
        write_policy(std::string("allow br0 ") + GetParam() + "\n");
        const HelperResult run = run_helper({"--br=br0", "--fd=27", std::string("--mac=") + mac_a});
        ASSERT_TRUE(granted(run));
        const Station guest = Station::tap(run.fds[0].get(), {"br0"});
        guest.await_link();
        const Station network = Station::link("far", {"br0"});
        const std::string out = make(router_mac, mac_a);
        EXPECT_TRUE(guest.send(out));
        EXPECT_TRUE(network.got(out)) << what << ", from the guest";
        const std::string in = make(mac_a, router_mac);
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

// The guest sends with the address of somebody in the network. Its next frames to that address go
// out all the same, since what is between the tap and the bridge learns no addresses.
TEST_F(ContainedPort, LearnsNothingFromItsGuest) {
    add_bridge("br0");
    add_veth("uplink", "far");
    ASSERT_EQ(set_master("uplink", "br0"), 0);
    set_link_up("far");
    set_link_up("uplink");
    write_policy("allow br0 mac-lock\n");
    const HelperResult run = run_helper({"--br=br0", "--fd=27", std::string("--mac=") + mac_a});
    ASSERT_TRUE(granted(run));
    const Station guest = Station::tap(run.fds[0].get(), {"br0"});
    guest.await_link();
    const Station network = Station::link("far", {"br0"});
    const std::string forged = make_frame(broadcast_mac, router_mac);
    EXPECT_TRUE(guest.send(forged));
    EXPECT_FALSE(network.got(forged));
    const std::string out = make_frame(router_mac, mac_a);
    EXPECT_TRUE(guest.send(out));
    EXPECT_TRUE(network.got(out));
}

// The kernel handles links that come up a moment later, unless somebody asks about them. A tap that
// loses frames meanwhile must not be handed over.
TEST_F(ContainedPort, PassesItsFirstFrame) {
    add_bridge("br0");
    add_veth("uplink", "far");
    ASSERT_EQ(set_master("uplink", "br0"), 0);
    set_link_up("far");
    set_link_up("uplink");
    write_policy("allow br0 contain\n");
    const Station network = Station::link("far", {"br0"});
    constexpr std::size_t enough = 64;  // without it one in ten loses its frame
    std::size_t passed = 0;
    std::vector<HelperResult> runs;  // what ends would be in the next one's way
    while (runs.size() < enough) {
        runs.push_back(run_helper({"--br=br0", "--fd=27"}));
        ASSERT_TRUE(granted(runs.back()));
        const std::string frame = make_frame(broadcast_mac, mac_a);
        ASSERT_TRUE(Station::tap(runs.back().fds[0].get(), {"br0"}).send(frame));
        passed += network.got(frame) ? 1 : 0;
    }
    EXPECT_EQ(passed, enough);
}

// The user may enter the namespace while the port is made, delete the pair, and have another helper
// make one of the same name. This helper must leave that one's port alone.
TEST_F(ContainedPort, OfTheSameNameIsAnotherHelpers) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    add_bridge("br0");
    write_policy("allow br0 max-taps=1 isolated mac-lock\n");
    bool made = false;
    std::string name;
    std::string address;
    const HelperResult run = run_traced(
        {"--br=br0", "--fd=27", std::string("--mac=") + mac_a}, {}, [&](const TracedCall& call) {
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

// Where parts of /proc are missing (in a service with ProcSubset=pid), IPv6 cannot be kept off.
TEST_F(ContainedPort, IsRefusedWhereIpv6CannotBeKeptOff) {
    add_bridge("br0");
    write_policy("allow br0 contain\n");
    ASSERT_EQ(mount("proc", "/proc", "proc", 0, "subset=pid"), 0);
    const HelperResult run = run_helper({"--br=br0", "--fd=27"});
    ASSERT_EQ(umount("/proc"), 0);
    EXPECT_TRUE(
        failed_saying(run, "failed to contain the tap: No such file or directory", "/proc/sys"));
}

TEST_F(ContainedPort, IsRefusedWhereItsUserHasAllNamespacesThatHeMay) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    add_bridge("br0");
    write_policy("allow br0 contain\n");
    const HelperResult run = run_traced({"--br=br0", "--fd=27"}, {}, [](const TracedCall& call) {
        return TraceAction{.fail_with = call.number == SYS_clone ? ENOSPC : 0};
    });
    EXPECT_TRUE(failed_saying(run, "failed to contain the tap: No space left on device",
                              "user.max_net_namespaces"));
}

// What its child has open when it ends is within its user's reach on old kernels.
TEST_F(ContainedPort, IsRefusedWhereItsChildEndsWithTheHelpersDescriptors) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    add_bridge("br0");
    write_policy("allow br0 contain\n");
    const HelperResult run =
        run_traced_family({"--br=br0", "--fd=27"}, {}, [](const TracedCall& call) {
            const bool at_end = call.process == 1 && call.number == SYS_close_range;
            return TraceAction{.fail_with = at_end ? ENOMEM : 0};
        });
    EXPECT_TRUE(
        failed_saying(run, "failed to contain the tap: Cannot allocate memory", "namespace"));
    EXPECT_THAT(links(), testing::Not(testing::Contains(testing::StartsWith("tap"))));
}

// --- The host's own IP, by way of the port

constexpr unsigned host_port = 5353;

constexpr std::string_view everybody{"\xff\xff\xff\xff", 4};
constexpr std::string_view all_systems{"\xe0\x00\x00\x01", 4};
constexpr std::string_view hosts_own{"\xc0\x00\x02\x01", 4};

// A datagram to `address`, by default from 192.0.2.99; addresses are four bytes.
std::string make_datagram(const std::string& ethernet, std::string_view address,
                          std::string_view from = {"\xc0\x00\x02\x63", 4}) {
    std::string header = std::string("\x45\x00\x00\x20\x00\x01\x00\x00\x40\x11\x00\x00", 12) +
                         std::string(from) + std::string(address);
    header.replace(10, 2, internet_checksum(header));
    std::string frame =
        ethernet + two(0x0800) + header + two(9) + two(host_port) + two(12) + two(0) + "data";
    frame.resize(60);
    return frame;
}

// "I am the way to everywhere": from fe80::1 to all nodes.
std::string make_router_advertisement(const std::string& ethernet) {
    const std::string addresses =
        "\xfe\x80" + std::string(13, '\0') + "\x01\xff\x02" + std::string(13, '\0') + "\x01";
    std::string advertisement =
        std::string("\x86\x00\x00\x00\x40\x00\x07\x08", 8) + std::string(8, '\0');
    const std::string pseudo = addresses + two(0) + two(16) + two(0) + two(58);
    advertisement.replace(2, 2, internet_checksum(pseudo + advertisement));
    return ethernet + two(0x86dd) + std::string("\x60\x00\x00\x00", 4) + two(16) + "\x3a\xff" +
           addresses + advertisement;
}

bool has_ipv6_default_route() {
    std::istringstream routes(read_text("/proc/net/ipv6_route"));
    for (std::string line; std::getline(routes, line);)
        if (line.starts_with(std::string(32, '0') + " 00 ") &&
            line.find(" lo") == std::string::npos)
            return true;
    return false;
}

// Frames to a group of switches do not go through the bridge: the kernel gives them to the host, as
// received by the port, whatever the port's options are.
class HostsOwnIp : public Testbed {
  protected:
    void prepare() override {
        write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
        // A new network namespace has the host's setting. With the filter, the host would drop
        // packets that come in by a port, since no route leads there.
        for (const char* const whose : {"all", "default"})
            write_file(std::string("/proc/sys/net/ipv4/conf/") + whose + "/rp_filter", "0");
        add_bridge("br0");
        write_file("/proc/sys/net/ipv6/conf/br0/accept_ra", "0");
        ifreq request = link_request("br0");
        sockaddr_in address{};
        address.sin_family = AF_INET;
        inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
        std::memcpy(&request.ifr_addr, &address, sizeof address);
        service_.reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ASSERT_EQ(ioctl(service_.get(), SIOCSIFADDR, &request), 0);
        address.sin_addr.s_addr = INADDR_ANY;
        address.sin_port = htons(host_port);
        ASSERT_EQ(bind(service_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
                  0);
    }

    // What in the host answers to, or believes, a guest that sends to that group with any source
    // address.
    std::vector<std::string> reached(const std::string& rule, const char* group) {
        write_policy("allow br0 " + rule + "\n");
        const HelperResult run = run_helper({"--br=br0", "--fd=27", std::string("--mac=") + mac_a});
        EXPECT_TRUE(granted(run)) << describe(run);
        // As udev may do for each new link, by systemd's files in sysctl.d.
        if (rule != "plain")
            write_file("/proc/sys/net/ipv4/conf/" + ports("br0").at(0) + "/rp_filter", "2");
        const Station guest = Station::tap(run.fds.at(0).get(), {"br0"});
        guest.await_link();
        const std::string ethernet = mac_bytes(group) + mac_bytes(router_mac);
        std::string arp = make_arp_request(router_mac, "192.0.2.1");
        EXPECT_TRUE(guest.send(arp.replace(0, 12, ethernet)));
        for (const std::string_view to : {hosts_own, everybody, all_systems})
            EXPECT_TRUE(guest.send(make_datagram(ethernet, to)));
        // From 0.0.0.0: SECURITY.md tells of that one.
        for (const std::string_view to :
             {hosts_own, std::string_view("\xc0\x00\x02\xff", 4),
              std::string_view("\xe0\x00\x00\xfb", 4), std::string_view("\xef\x01\x01\x01", 4)})
            EXPECT_TRUE(guest.send(make_datagram(ethernet, to, {"\0\0\0\0", 4})));
        EXPECT_TRUE(guest.send(make_router_advertisement(ethernet)));
        static_cast<void>(guest.got(arp));  // all have passed the queues when a beacon has
        std::vector<std::string> found;
        if (read_text("/proc/net/arp").find("192.0.2.99") != std::string::npos)
            found.emplace_back("ARP");
        std::array<char, 64> data{};
        while (recv(service_.get(), data.data(), data.size(), 0) > 0)
            found.emplace_back("UDP");
        if (has_ipv6_default_route())
            found.emplace_back("router");
        return found;
    }

  private:
    UniqueFd service_;
    OneCpu one_cpu_;
};

TEST_F(HostsOwnIp, IsOutOfAContainedTapsReach) {
    for (const char* const group : {"01:80:c2:00:00:03", "01:80:c2:00:00:0e"}) {
        for (const char* const rule : {"contain", "isolated mac-lock"}) {
            EXPECT_THAT(reached(rule, group), testing::IsEmpty()) << group << ", " << rule;
            ASSERT_TRUE(no_taps_left());
        }
    }
    // By a plain tap they reach the host, so the frames are right.
    EXPECT_THAT(reached("plain", "01:80:c2:00:00:0e"),
                testing::ElementsAre("ARP", "UDP", "UDP", "UDP", "router"));
}

}  // namespace
}  // namespace tapgate
