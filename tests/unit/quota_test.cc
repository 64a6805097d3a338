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

TEST(Quota, CountsTheUsersOwnTapsOnly) {
    const std::vector<Link> ports = {tap_of(1001, 0), tap_of(1002), tap_of(1002), tap_of(1001),
                                     Link{}};
    EXPECT_EQ(Quota(3, 1001, bridge, ports).taken(), 2U);
    EXPECT_FALSE(Quota(3, 1001, bridge, ports).is_full());
    EXPECT_TRUE(Quota(2, 1001, bridge, ports).is_full());
    EXPECT_TRUE(Quota(1, 1001, bridge, ports).is_full());
    EXPECT_FALSE(Quota(1, 1003, bridge, ports).is_full());
}

}  // namespace
}  // namespace tapgate
