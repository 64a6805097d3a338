// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "launcher/vm/identity.h"

namespace tapgate {

namespace {

TEST(Identity, IsStableAndEveryPartCounts) {
    const auto mac = [](const std::string& machine, uid_t uid, const char* name, unsigned index) {
        return stable_mac({machine, uid}, VmName::parse(name).value(), index).str();
    };
    const std::string own = mac("m", 1000, "lab", 0);
    EXPECT_EQ(own, mac("m", 1000, "lab", 0));
    EXPECT_THAT(own, testing::StartsWith("52:54:00:"));
    for (const std::string& other : {mac("n", 1000, "lab", 0), mac("m", 1001, "lab", 0),
                                     mac("m", 1000, "lab1", 0), mac("m", 1000, "lab", 1)})
        EXPECT_NE(own, other);
}

}  // namespace

}  // namespace tapgate
