// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/port_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "helper/failure.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

constexpr int bridge = 7;
constexpr uid_t user = 1000;

// The ports in these slots of `on`.
std::vector<std::string> ports_in(const std::vector<unsigned>& slots, int on = bridge) {
    std::vector<std::string> names;
    names.reserve(slots.size());
    for (const unsigned slot : slots)
        names.push_back(port_name(user, on, slot));
    return names;
}

unsigned slots_left(unsigned limit, const std::vector<std::string>& own) {
    const Slots slots = slots_within(limit, bridge, own);
    EXPECT_EQ(slots.begin, 0U);
    EXPECT_EQ(slots.first, 0U);
    return slots.size;
}

TEST(PortName, TagSaysWhosePortItIs) {
    const auto mac = MacAddress::parse("52:54:00:12:34:56");
    EXPECT_EQ(tag_of(1001), "tapgate uid=1001");
    EXPECT_EQ(tag_of(1001, VmName::parse("lab1")), "tapgate uid=1001 vm=lab1");
    EXPECT_EQ(tag_of(1001, std::nullopt, mac), "tapgate uid=1001 mac=52:54:00:12:34:56");
    EXPECT_EQ(tag_of(1001, VmName::parse("lab1"), mac),
              "tapgate uid=1001 vm=lab1 mac=52:54:00:12:34:56");
}

TEST(PortName, SaysWhosePortItIs) {
    EXPECT_EQ(port_name(1000, 3, 1), "tap1000-4qp");
    EXPECT_EQ(port_name(1000000, 3, 1), "taplfls_4qp");
    EXPECT_EQ(port_name(4294967295U, 800, 2047), "tap1z141z3_z5rz");
    for (const uid_t uid : {0U, 1U, 65534U, 999999U, 1000000U, 2000000000U, 4294967295U}) {
        for (const unsigned slot : {0U, 1U, 1023U, 2047U}) {
            const std::string name = port_name(uid, 800, slot);
            EXPECT_TRUE(InterfaceName::parse(name)) << name;
            EXPECT_EQ(named_owner(name), uid) << name;
        }
    }
    for (const auto* name : {"", "tap", "tap0", "tap-1", "tap1000", "tapx-1", "tap4294967296-1",
                             "eth0", "tap1x-1", "TAP1-1", "tap 1-1", "tap+1-1"}) {
        const auto owner = named_owner(name);
        EXPECT_FALSE(owner) << name;
    }
}

TEST(PortName, IsAnotherForEachUserBridgeAndSlot) {
    std::set<std::string> names;
    size_t made = 0;
    for (const uid_t uid : {1000U, 10002U, 999999U, 1000000U, 2000000000U})
        for (const int on : {1, 2, 36, 1296, 29000})
            for (const unsigned slot : {0U, 1U, 35U, 36U, 1023U, 1024U, 2047U}) {
                names.insert(port_name(uid, on, slot));
                made++;
            }
    EXPECT_EQ(names.size(), made);
}

TEST(PortName, NoRoomIsAFailureThatSaysWhy) {
    EXPECT_THAT(error_of<Failure>([] { port_name(999999, 2000000, 0); }),
                testing::HasSubstr("ifindex 2000000 is too large"));
}

TEST(Slots, AllOfTheLimitAreFreeAtFirst) {
    EXPECT_EQ(slots_left(3, {}), 3U);
    EXPECT_EQ(slots_left(1, {}), 1U);
}

TEST(Slots, NoneAreLeftWhenTheUserHasAllItsPorts) {
    EXPECT_EQ(slots_left(2, ports_in({0, 1})), 0U);
    EXPECT_EQ(slots_left(2, ports_in({0, 1, 2})), 0U);
    EXPECT_EQ(slots_left(1, ports_in({other_slots + 5})), 0U);
}

// The kernel refuses the name of a slot that is taken: it need not be left out.
TEST(Slots, ATakenOneStaysAmongThoseThatAreTried) {
    EXPECT_EQ(slots_left(3, ports_in({0})), 3U);
    EXPECT_EQ(slots_left(3, ports_in({2})), 3U);
}

TEST(Slots, APortOutsideOfThemTakesTheLast) {
    EXPECT_EQ(slots_left(3, ports_in({other_slots})), 2U);
    EXPECT_EQ(slots_left(3, ports_in({0}, bridge + 1)), 2U);
    EXPECT_EQ(slots_left(3, ports_in({0}, bridge - 1)), 2U);
    EXPECT_EQ(slots_left(3, {"tap1000-odd!"}), 2U);
    EXPECT_EQ(slots_left(4, ports_in({other_slots, other_slots + 1})), 2U);
}

// Slot 2 of 3 is made unavailable by the other port, so who has it counts as one without a slot.
TEST(Slots, APortInASlotThatIsNoneAnyMoreCountsAsOneWithout) {
    EXPECT_EQ(slots_left(3, ports_in({2, other_slots})), 1U);
    EXPECT_EQ(slots_left(4, ports_in({0, 3, other_slots})), 2U);
}

}  // namespace
}  // namespace tapgate
