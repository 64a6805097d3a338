// SPDX-License-Identifier: GPL-2.0-or-later
//
// mac-lock: a guest sends with its own address only, and nobody else gets it.

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/netlink.h"
#include "tests/system/ports.h"
#include "tests/system/testbed.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

// As most network cards do.
void leave_checksums_to_kernel(const std::string& link) {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ethtool_value off{.cmd = ETHTOOL_STXCSUM, .data = 0};
    ifreq request = link_request(link);
    request.ifr_data = reinterpret_cast<char*>(&off);
    check_call(ioctl(fd.get(), SIOCETHTOOL, &request) == 0, "ethtool -K " + link + " tx off");
}

TEST_F(Ports, MacLockLetsTheAssignedAddressSendAndReceive) {
    const Guest a = start("mac-lock", mac_a);
    const Guest b = start("mac-lock", mac_b);
    EXPECT_TRUE(passes(a, mac_a));
    EXPECT_TRUE(reaches(party(a), network()));
    // Everything except what is flooded.
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

// A bridge floods frames for a station that it has not heard for minutes; for seconds, after the
// spanning tree has changed.
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

// A guest says where in a frame the kernel is to write a checksum when the frame leaves: by then,
// the bridge has checked it.
TEST_F(Ports, MacLockHoldsAgainstAChecksumInThePlaceOfTheSource) {
    write_policy("allow br0 mac-lock\n");
    HelperResult run = ask({"--use-vnet", std::string("--mac=") + mac_a});
    ASSERT_TRUE(granted(run));
    leave_checksums_to_kernel("uplink");
    const std::string frame = make_frame(broadcast_mac, mac_a);
    const auto arrived = [&](unsigned checksum_at) {
        // struct virtio_net_hdr of linux/virtio_net.h, which is no C++. The flag says that there is
        // a checksum to write.
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
        // The kernel may refuse such a place.
        static_cast<void>(write(run.fds[0].get(), packet.data(), packet.size()));
        return far().take_out();
    };
    // A checksum behind the header is written, as SECURITY.md says. That shows that the test works.
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
    ASSERT_EQ(set_hardware_address(guest.fd.get(), guest.tap, nobodys_mac), 0);
    EXPECT_EQ(where_is(nobodys_mac), "") << "the tap is not the port";
    EXPECT_FALSE(passes(guest, nobodys_mac));
    EXPECT_TRUE(passes(guest, mac_a));
    ASSERT_EQ(set_hardware_address(guest.fd.get(), guest.tap, mac_b), 0);
    EXPECT_FALSE(passes(guest, nobodys_mac));
    EXPECT_FALSE(passes(guest, mac_b));
}

TEST_F(Ports, MacLockDropsASourceThatWasLearntBefore) {
    // From a tap of the same user that is not locked and still there, and from one that is gone.
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
    // Frames with that source from an unlocked port and from the network.
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
    // And the address can be used again.
    EXPECT_TRUE(passes(start("mac-lock", mac_a), mac_a));
}

TEST_F(Ports, MacLockRefusesWithoutAnAddressAndSaysWhatToDo) {
    write_policy("allow br0 mac-lock\n");
    const HelperResult run = ask({});
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
    // Upper and lower case are the same.
    EXPECT_TRUE(granted(ask_for("mac-lock=AA:BB", "aa:bb:00:00:00:01")));
    EXPECT_TRUE(granted(ask_for("mac-lock=aa:bb", "AA:BB:00:00:00:01")));
}

TEST_F(Ports, MacLockToAnAddressThatBeginsLikeThePortsOwn) {
    const char* const address = "fe:54:00:00:00:0a";
    EXPECT_TRUE(passes(start("mac-lock", address), address));
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
    // The addresses stay with those who had them.
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

}  // namespace
}  // namespace tapgate
