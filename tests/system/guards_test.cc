// SPDX-License-Identifier: GPL-2.0-or-later
//
// etc/tapgate.nft, each of its guards proven with frames: what a guest sends reaches the network
// without the guard, and not with it, and the guard says whose it was.
//
//     tap1000-1 (a guest) ---- br0 ---- uplink | far end, "the network"
//     tap1001-1 (another) ------+
//     host0 (no tap) -----------+

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/system/guard_samples.h"
#include "tests/system/netlink.h"
#include "tests/system/packets.h"
#include "tests/system/testbed.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

constexpr const char* nft_program = "/usr/sbin/nft";
constexpr std::array sets{"switches", "dhcp_servers", "dhcpv6_servers", "routers",
                          "hidden",   "storms",       "floods"};

// Older kernels refuse a datagram of UDP that is to be cut into several, so there is none to guard
// against (Debian 12's own is 6.1).
bool has_large_datagrams() {
    utsname system{};
    unsigned version = 0;
    unsigned patchlevel = 0;
    uname(&system);
    EXPECT_EQ(std::sscanf(system.release, "%u.%u", &version, &patchlevel), 2);
    return version > 6 || (version == 6 && patchlevel >= 2);
}

// As ethtool -K does.
void set_feature(const std::string& link, const std::string& feature, bool on) {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto ask = [&](void* data) {
        ifreq request = link_request(link);
        request.ifr_data = static_cast<char*>(data);
        if (ioctl(fd.get(), SIOCETHTOOL, &request) < 0)
            throw std::runtime_error(feature + " of " + link);
    };
    alignas(ethtool_gstrings) std::array<char, 8192> strings{};
    auto* const names = reinterpret_cast<ethtool_gstrings*>(strings.data());
    names->cmd = ETHTOOL_GSTRINGS;
    names->string_set = ETH_SS_FEATURES;
    ask(names);
    alignas(ethtool_sfeatures) std::array<char, 256> blocks{};
    auto* const change = reinterpret_cast<ethtool_sfeatures*>(blocks.data());
    change->cmd = ETHTOOL_SFEATURES;
    change->size = (names->len + 31) / 32;
    for (unsigned i = 0; i < names->len; ++i) {
        if (feature ==
            reinterpret_cast<const char*>(names->data) + std::size_t{i} * ETH_GSTRING_LEN) {
            change->features[i / 32].valid = 1U << i % 32;
            change->features[i / 32].requested = on ? 1U << i % 32 : 0;
        }
    }
    ask(change);
}

// Sends frames whose bytes behind the Ethernet header stay in pages that this process has mapped.
class PagesOfFrames {
  public:
    explicit PagesOfFrames(const std::string& link) : fd_(packet_socket(link)) {
        const int version = TPACKET_V2;
        tpacket_req size{};
        size.tp_block_size = size.tp_frame_size = page_size;
        size.tp_block_nr = size.tp_frame_nr = 1;
        if (setsockopt(fd_.get(), SOL_PACKET, PACKET_VERSION, &version, sizeof version) == 0 &&
            setsockopt(fd_.get(), SOL_PACKET, PACKET_TX_RING, &size, sizeof size) == 0)
            page_ = mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
        if (page_ == MAP_FAILED)
            throw std::runtime_error("a ring at " + link);
    }
    ~PagesOfFrames() { munmap(page_, page_size); }
    PagesOfFrames(const PagesOfFrames&) = delete;
    PagesOfFrames(PagesOfFrames&&) = delete;
    PagesOfFrames& operator=(const PagesOfFrames&) = delete;
    PagesOfFrames& operator=(PagesOfFrames&&) = delete;

    bool send(const std::string& frame) const {
        auto* const header = static_cast<tpacket2_hdr*>(page_);
        std::memcpy(static_cast<char*>(page_) + TPACKET2_HDRLEN - sizeof(sockaddr_ll), frame.data(),
                    frame.size());
        header->tp_len = static_cast<__u32>(frame.size());
        header->tp_status = TP_STATUS_SEND_REQUEST;
        return ::send(fd_.get(), nullptr, 0, 0) == static_cast<ssize_t>(frame.size());
    }

  private:
    static constexpr std::size_t page_size = 4096;
    UniqueFd fd_;
    void* page_ = MAP_FAILED;
};

// Runs nft and returns what it printed. Throws a std::runtime_error when it fails.
std::string nft(const std::string& words) {
    const std::string command = std::string(nft_program) + " " + words + " 2>&1";
    FILE* const pipe = popen(command.c_str(), "re");  // NOLINT(cert-env33-c): a test's own words
    std::string output;
    std::array<char, 4096> buffer{};
    while (pipe != nullptr) {
        const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe);
        if (got == 0)
            break;
        output.append(buffer.data(), got);
    }
    if (pipe == nullptr || pclose(pipe) != 0)
        throw std::runtime_error(command + ": " + output);
    return output;
}

// For each set: the ports in it, and how many packets of each were dropped.
using Dropped = std::map<std::string, std::map<std::string, unsigned long>>;
Dropped dropped() {
    const std::string text = nft("list table bridge tapgate");
    Dropped all;
    for (const char* const set : sets) {
        const std::size_t begin = text.find("set " + std::string(set) + " {");
        const std::size_t end = text.find("\n\t}", begin);
        std::size_t at = text.find("elements", begin);
        while (at < end && (at = text.find('"', at)) < end) {
            const std::size_t behind = text.find('"', at + 1);
            const std::size_t packets = text.find("packets ", behind);
            if (packets > end)
                throw std::runtime_error("no counter in " + text);
            all[set][text.substr(at + 1, behind - at - 1)] =
                std::strtoul(&text[packets + 8], nullptr, 10);
            at = packets;
        }
    }
    return all;
}
unsigned long dropped(const std::string& set, const std::string& port) {
    return dropped()[set][port];
}

struct Guest {
    UniqueFd fd;
    Station station;
};

class Guards : public Testbed {
  protected:
    void prepare() override {
        TAPGATE_REQUIRE(access(nft_program, X_OK) == 0, "no nft (package nftables)");
        add_bridge("br0");
        // If br_netfilter is loaded, it drops bad IP packets. Few hosts have it.
        for (const char* const file : {"iptables", "ip6tables"})
            if (const std::string call = std::string("/proc/sys/net/bridge/bridge-nf-call-") + file;
                access(call.c_str(), F_OK) == 0)
                write_file(call, "0");
        add_veth("uplink", "far");
        add_veth("host0", "host1");
        for (const char* const port : {"uplink", "host0"})
            Rtnl().set_master(port, "br0");
        for (const char* const link : {"far", "uplink", "host0", "host1"})
            set_link_up(link);
        network_.emplace(Station::link("far", {"br0"}));
    }

    static Guest guest(const std::string& name, int more_flags = 0) {
        UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
        ifreq request = link_request(name);
        request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | more_flags);
        if (!fd || ioctl(fd.get(), TUNSETIFF, &request) != 0)
            throw std::runtime_error("a tap: " + std::string(std::strerror(errno)));
        Rtnl().set_master(name, "br0");
        set_link_up(name);
        const int number = fd.get();
        Guest guest{std::move(fd), Station::tap(number, {"br0"})};
        if (more_flags == 0)
            guest.station.await_link();
        return guest;
    }

    // The outer end of a contained tap, and `inner`, the end that its holder has.
    static void contained_guest(const std::string& name, const std::string& inner) {
        add_veth(name, inner);
        Rtnl().set_master(name, "br0");
        set_link_up(inner);
        set_link_up(name);
    }

    // The file as it is installed, or with `from` replaced: an administrator's change.
    static void load(const std::string& from = {}, const std::string& to = {}) {
        std::string text = read_text(TAPGATE_NFT);
        if (!from.empty()) {
            const std::size_t at = text.find(from);
            ASSERT_NE(at, std::string::npos) << from;
            text.replace(at, from.size(), to);
        }
        write_file(path("tapgate.nft"), text);
        nft("-f " + path("tapgate.nft"));
    }

    bool reaches_network(const Guest& from, const std::string& frame) const {
        EXPECT_TRUE(from.station.send(frame));
        return network_->got(frame);
    }

    // How many of `count` broadcasts leave by the uplink.
    static long broadcasts_passed(const Guest& from, int count, std::string_view mac) {
        const auto sent = [] {
            return std::strtol(link_attribute("uplink", "statistics/tx_packets").c_str(), nullptr,
                               10);
        };
        const long before = sent();
        for (int i = 0; i < count; ++i) {
            EXPECT_TRUE(from.station.send(make_frame(broadcast_mac, mac)));
        }
        return sent() - before;
    }

    OneCpu one_cpu_;
    std::optional<Station> network_;
};

TEST_F(Guards, WithoutThemAllReachesTheUplink) {
    const Guest alice = guest("tap1000-1");
    for (const GuardSample& sample : guard_samples()) {
        // Of the reserved addresses, a bridge forwards only STP's, and only when it does not speak
        // STP.
        if (std::string_view(sample.name) == "STP of a provider's bridge")
            continue;
        EXPECT_TRUE(reaches_network(alice, sample.frame)) << sample.name;
    }
}

TEST_F(Guards, EachStopsItsFramesAndSaysWhose) {
    const Guest alice = guest("tap1000-1");
    const Guest bob = guest("tap1001-1");
    load();
    Dropped expected;
    for (const GuardSample& sample : guard_samples()) {
        EXPECT_EQ(reaches_network(alice, sample.frame), sample.set == nullptr) << sample.name;
        EXPECT_FALSE(sample.set != nullptr && bob.station.got(sample.frame)) << sample.name;
        if (sample.set != nullptr)
            ++expected[sample.set]["tap1000-1"];
        EXPECT_EQ(dropped(), expected) << sample.name;
    }
}

// The uplink's DHCP server, router and switch are what guests are to hear.
TEST_F(Guards, WhatComesFromElsewherePasses) {
    const Guest alice = guest("tap1000-1");
    const Station host = Station::link("host1", {"br0"});
    load();
    for (const GuardSample& sample : guard_samples()) {
        if (std::string_view(sample.name) == "STP of a provider's bridge")
            continue;
        EXPECT_TRUE(network_->send(sample.frame));
        EXPECT_TRUE(alice.station.got(sample.frame)) << sample.name;
        EXPECT_TRUE(host.send(sample.frame));
        EXPECT_TRUE(network_->got(sample.frame)) << sample.name;
    }
    EXPECT_EQ(dropped(), Dropped());
}

// A bridge believes anybody who asks which groups have listeners, and forgets a listener who does
// not answer in time.
TEST_F(Guards, NoQueryEndsWhatOthersListenTo) {
    const Guest alice = guest("tap1000-1");
    const Guest bob = guest("tap1001-1");
    const auto bob_gets = [&](const ListenerSample& groups) {
        EXPECT_TRUE(network_->send(groups.stream));
        return bob.station.got(groups.stream);
    };
    const auto ends = [&](const ListenerSample& groups, const std::string& query) {
        EXPECT_TRUE(bob.station.send(groups.report));
        EXPECT_TRUE(bob_gets(groups)) << groups.name;
        EXPECT_TRUE(alice.station.send(query));
        usleep(400'000);  // twice as long as it says, which is the least that it can say
        return !bob_gets(groups);
    };
    const std::array both{ipv4_listener(), ipv6_listener()};
    for (const ListenerSample& groups : both) {
        // From now on, only those who report a group get its stream.
        EXPECT_TRUE(network_->send(groups.general_query));
        usleep(400'000);
        EXPECT_FALSE(bob_gets(groups)) << groups.name;
        for (const std::string& query : groups.queries) {
            EXPECT_TRUE(ends(groups, query)) << groups.name;
        }
    }
    load();
    unsigned long count = 0;
    for (const ListenerSample& groups : both) {
        for (const std::string& query : groups.queries) {
            EXPECT_FALSE(ends(groups, query)) << groups.name;
            EXPECT_EQ(dropped("routers", "tap1000-1"), ++count) << groups.name;
        }
    }
}

// These go no further than the bridge's host.
TEST_F(Guards, WhatABridgeKeepsForItself) {
    const Guest alice = guest("tap1000-1");
    load();
    unsigned long count = 0;
    for (const char* const to : {"01:80:c2:00:00:02", "01:80:c2:00:00:03", "01:80:c2:00:00:0d"}) {
        EXPECT_TRUE(alice.station.send(make_frame(to, mac_a)));
        EXPECT_EQ(dropped("switches", "tap1000-1"), ++count) << to;
    }
}

// A bridge with STP takes BPDUs of 802.1D before any hook. Against these, the policy's word `guard`
// helps, which sets such options of the port; the guards help against all other kinds.
TEST_F(Guards, OnABridgeWithStp) {
    speak_stp("br0");
    const Guest alice = guest("tap1000-1");
    await_forwarding("tap1000-1");
    await_forwarding("uplink");
    const std::string root = "0000.525400000001";
    const std::string bpdu = make_bpdu("52:54:00:00:00:01");
    load();
    for (const GuardSample& sample : guard_samples()) {
        const std::string name = sample.name;
        if (sample.set != nullptr && std::string_view(sample.set) == "switches" && name != "STP" &&
            name != "RSTP" && name != "MSTP") {
            EXPECT_FALSE(reaches_network(alice, sample.frame)) << sample.name;
        }
    }
    write_file("/sys/class/net/tap1000-1/brport/root_block", "1");
    EXPECT_TRUE(alice.station.send(bpdu));
    EXPECT_NE(link_attribute("br0", "bridge/root_id"), root);
    write_file("/sys/class/net/tap1000-1/brport/root_block", "0");
    EXPECT_TRUE(alice.station.send(bpdu));
    EXPECT_EQ(link_attribute("br0", "bridge/root_id"), root);
}

// A guest says how a large frame is to be cut into segments. The kernel then writes their lengths
// and offsets itself, whatever was in the headers.
TEST_F(Guards, SegmentsOfALargeFrame) {
    const Guest alice = guest("tap1000-1", IFF_VNET_HDR);
    const Guest bob = guest("tap1001-1");
    const std::string large4 = ipv4(17, udp(67, 68, 1024), broadcast_ipv4, 1);
    const std::string large6 = longer(ipv6(17, udp(547, 546, 1024)));
    const std::string offer =
        as_large(fragments_of_udp, 42, 512) + ethernet(broadcast_mac, mac_a, large4);
    const std::string advertisement =
        as_large(segments_of_udp, 62, 256) + ethernet(router_mac, mac_a, large6);
    // How many with these ports bob has got: whole ones, or first fragments.
    const auto got = [&](std::size_t ports, unsigned from, unsigned to) {
        const std::vector<std::string> frames = bob.station.take_out();
        return std::count_if(frames.begin(), frames.end(), [&](const std::string& frame) {
            return frame.size() > 100 && frame.substr(ports, 4) == two(from) + two(to) &&
                   (ports != 34 || ((frame[20] & 0x1f) == 0 && frame[21] == 0));
        });
    };
    EXPECT_TRUE(alice.station.send(offer));
    EXPECT_EQ(got(34, 67, 68), 1);
    const bool takes_it = alice.station.send(advertisement);
    EXPECT_EQ(got(54, 547, 546), takes_it ? 4 : 0);
    load();
    EXPECT_TRUE(alice.station.send(offer));
    EXPECT_EQ(got(34, 67, 68), 0);
    EXPECT_EQ(dropped("dhcp_servers", "tap1000-1"), 1U);
    if (!takes_it && !has_large_datagrams())
        return;
    EXPECT_TRUE(alice.station.send(advertisement));
    EXPECT_EQ(got(54, 547, 546), 0);
    EXPECT_EQ(dropped("hidden", "tap1000-1"), 1U);
}

// Datagrams that the kernel has put into a list (ethtool's rx-gro-list) go through the host as one,
// while each keeps its header. Whoever is root where the tap is can change the header of the first.
TEST_F(Guards, DatagramsInAList) {
    contained_guest("tap1000-1", "inner");
    const Guest bob = guest("tap1001-1");
    add_bridge("leaf");
    add_veth("out", "in");
    for (const char* const port : {"inner", "in"})
        Rtnl().set_master(port, "leaf");
    for (const char* const link : {"leaf", "in", "out"})
        set_link_up(link);
    set_feature("in", "rx-gro", true);
    set_feature("in", "rx-gro-list", true);
    set_feature("out", "tx-udp-segmentation", false);
    write_file(path("first.nft"),
               "table bridge alices { chain first {\n"
               "type filter hook prerouting priority 0; policy accept;\n"
               "iifname in ip protocol udp ip frag-off set 1 udp sport set 67 udp dport set 68\n"
               "}\n}\n");
    nft("-f " + path("first.nft"));
    const UniqueFd sender = packet_socket("out");
    const int on = 1;
    ASSERT_EQ(setsockopt(sender.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on), 0);
    const std::string four = as_large(segments_of_udp, 42, 256) +
                             ethernet(broadcast_mac, mac_a, ipv4(17, udp(4000, 5000, 1024)));
    const auto offers = [&] {
        if (write(sender.get(), four.data(), four.size()) < 0)
            return std::ptrdiff_t{-1};
        const std::vector<std::string> frames = bob.station.take_out();
        return std::count_if(frames.begin(), frames.end(), [&](const std::string& frame) {
            return frame.size() > 100 && frame.substr(20, 2) == two(0) &&
                   frame.substr(34, 4) == two(67) + two(68);
        });
    };
    const std::ptrdiff_t without = offers();
    if (without < 0 && !has_large_datagrams())
        GTEST_SKIP() << "Linux has such datagrams since 6.2";
    EXPECT_EQ(without, 3);
    load();
    EXPECT_EQ(offers(), 0);
    EXPECT_EQ(dropped("dhcp_servers", "tap1000-1"), 1U);
}

// netfilter reads which header follows that of IPv6 at a fixed place in the frame's buffer. If the
// frame is not in one piece, something else is there: a part of an earlier frame.
TEST_F(Guards, FramesInPages) {
    contained_guest("tap1000-1", "inner");
    const PagesOfFrames pages("inner");
    const UniqueFd sender = packet_socket("inner");
    const std::string before = ethernet(router_mac, mac_a, ipv6(6, icmpv6(134)));
    const std::string advertisement = ethernet("33:33:00:00:00:01", mac_a, ipv6(58, icmpv6(134)));
    constexpr int tries = 20;
    const auto passed = [&] {
        int count = 0;
        for (int i = 0; i < tries; ++i) {
            for (int more = 0; more < 4; ++more) {
                EXPECT_GT(write(sender.get(), before.data(), before.size()), 0);
            }
            EXPECT_TRUE(pages.send(advertisement));
            count += network_->got(advertisement) ? 1 : 0;
        }
        return count;
    };
    EXPECT_EQ(passed(), tries);
    load();
    EXPECT_EQ(passed(), 0);
    EXPECT_EQ(dropped("routers", "tap1000-1"), static_cast<unsigned long>(tries));
}

TEST_F(Guards, AStormOfOnePortIsItsOwn) {
    const Guest alice = guest("tap1000-1");
    const Guest bob = guest("tap1001-1");
    constexpr int frame_count = 5000;
    // The kernel's own frames may come on top.
    EXPECT_GE(broadcasts_passed(alice, frame_count, mac_a), frame_count);
    load("limit rate over 500/second burst 1000 packets",
         "limit rate over 1/second burst 1000 packets");
    const long passed = broadcasts_passed(alice, frame_count, mac_a);
    EXPECT_GE(passed, 1000);
    EXPECT_LT(passed, 1200);  // a frame a second more
    EXPECT_GE(dropped("storms", "tap1000-1"), static_cast<unsigned long>(frame_count - passed));
    EXPECT_GE(broadcasts_passed(bob, 500, mac_b), 500);
    // Unicast frames are no storm. (A new socket, since the queue of the old one is full.)
    network_.emplace(Station::link("far", {"br0"}));
    EXPECT_TRUE(reaches_network(alice, make_frame(router_mac, mac_a)));
    EXPECT_EQ(dropped("storms", "tap1001-1"), 0U);
}

TEST_F(Guards, ARateForEachPort) {
    const Guest alice = guest("tap1000-1");
    const Guest bob = guest("tap1001-1");
    const auto passed = [&](const Guest& from, std::string_view mac) {
        const auto before = link_attribute("uplink", "statistics/tx_packets");
        for (int i = 0; i < 500; ++i) {
            EXPECT_TRUE(from.station.send(make_frame(router_mac, mac)));
        }
        return std::stol(link_attribute("uplink", "statistics/tx_packets")) - std::stol(before);
    };
    load();
    EXPECT_GE(passed(alice, mac_a), 500);  // or a few more: the kernel's own
    load("500000/second burst 100000 packets", "1/second burst 100 packets");
    EXPECT_LT(passed(alice, mac_a), 300);
    EXPECT_GT(dropped("floods", "tap1000-1"), 200U);
    load("1250 mbytes/second burst 250 mbytes", "1 bytes/second burst 6000 bytes");
    EXPECT_LT(passed(bob, mac_b), 300);
    EXPECT_GT(dropped("floods", "tap1001-1"), 200U);
    EXPECT_EQ(dropped("floods", "tap1000-1"), 0U);
}

TEST_F(Guards, ExceptionsByUserAndPort) {
    const Guest alice = guest("tap1000-1");
    const Guest also_alice = guest("tap1000-2f3");
    const Guest bob = guest("tap1001-1");
    const std::string advertisement = ethernet("33:33:00:00:00:01", mac_a, ipv6(58, icmpv6(134)));
    const std::string begin = "chain exceptions {\n";
    load(begin, begin + "iifname \"tap1000-*\" accept\n");
    EXPECT_TRUE(reaches_network(alice, advertisement));
    EXPECT_TRUE(reaches_network(also_alice, advertisement));
    EXPECT_FALSE(reaches_network(bob, advertisement));
    load(begin, begin + "iifname \"tap1000-2f3\" accept\n");
    EXPECT_FALSE(reaches_network(alice, advertisement));
    EXPECT_TRUE(reaches_network(also_alice, advertisement));
    // An exception from one guard only.
    load("chain routers {\n", "chain routers {\niifname \"tap1001-1\" return\n");
    EXPECT_TRUE(reaches_network(bob, advertisement));
    EXPECT_FALSE(reaches_network(bob, make_bpdu(mac_b)));
    EXPECT_FALSE(reaches_network(alice, advertisement));
}

}  // namespace
}  // namespace tapgate
