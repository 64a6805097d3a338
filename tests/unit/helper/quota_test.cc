// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/quota.h"

#include <gtest/gtest.h>

#include "helper/port_tag.h"

namespace tapgate {
namespace {

constexpr int bridge = 7;

Link tap_of(uid_t uid, std::optional<unsigned> slot = std::nullopt) {
    Link link;
    link.kind = "tun";
    link.alias = tag_of(uid, std::nullopt);
    if (slot)
        link.altnames = {"other", slot_name(bridge, uid, *slot)};
    return link;
}

TEST(PortTag, SaysWhoseTapItIs) {
    EXPECT_EQ(tag_of(1001, std::nullopt), "tapgate uid=1001");
    EXPECT_EQ(tag_of(1001, VmName::parse("lab1")), "tapgate uid=1001 vm=lab1");
    Link link = tap_of(1001);
    EXPECT_EQ(tagged_owner(link), 1001U);
    link.alias = "tapgate uid=1001 vm=uid=7";
    EXPECT_EQ(tagged_owner(link), 1001U);
    for (const auto* alias : {"", "tapgate", "tapgate uid=", "tapgate uid=x", "tapgate uid=1001x",
                              "Tapgate uid=1001", "tapgate uid=99999999999", " tapgate uid=1001"}) {
        link.alias = alias;
        EXPECT_FALSE(tagged_owner(link)) << alias;
    }
    link = tap_of(1001);
    link.kind = "veth";
    EXPECT_FALSE(tagged_owner(link));
}

TEST(PortTag, ANameSaysWhoseTapItIs) {
    EXPECT_EQ(tap_name(1000, 0x1234), "tap1000-3lg");
    EXPECT_EQ(tap_name(0, 0), "tap0-0");
    for (const uid_t uid : {0U, 1U, 65534U, 9999999U, 10000000U, 4294967295U}) {
        for (const unsigned serial : {0U, 35U, 1679615U, 4294967295U}) {
            const std::string name = tap_name(uid, serial);
            EXPECT_TRUE(InterfaceName::parse(name)) << name;
            EXPECT_EQ(named_owner(name), uid) << name;
        }
    }
    EXPECT_NE(tap_name(1000, 0), tap_name(1000, 1679615));
    for (const auto* name : {"", "tap", "tap0", "tap-1", "tap1000", "tapx-1", "tap4294967296-1",
                             "eth0", "tap1x-1", "TAP1-1", "tap 1-1", "tap+1-1"}) {
        const auto owner = named_owner(name);
        EXPECT_FALSE(owner) << name;
    }
}

TEST(Quota, TakenIsWhatIsThere) {
    const std::vector<Link> own = {tap_of(1001, 0), tap_of(1001)};
    EXPECT_EQ(Quota(3, 1001, bridge, own).taken(), 2U);
    EXPECT_FALSE(Quota(3, 1001, bridge, own).is_full());
    EXPECT_TRUE(Quota(2, 1001, bridge, own).is_full());
    EXPECT_TRUE(Quota(1, 1001, bridge, own).is_full());
    EXPECT_FALSE(Quota(1, 1003, bridge, {}).is_full());
}

}  // namespace
}  // namespace tapgate
