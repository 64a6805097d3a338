// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/link.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <system_error>

namespace tapgate {
namespace {

// The loopback device is there in every network namespace, and anyone may look at it.
TEST(LinkSocket, ReadsALink) {
    const Link link = LinkSocket().get("lo");
    EXPECT_EQ(link.index, 1);
    EXPECT_EQ(link.kind, "");
    EXPECT_EQ(link.master, 0);
    EXPECT_EQ(link.mtu, 65536U);
}

TEST(LinkSocket, AMissingLinkIsENODEV) {
    try {
        static_cast<void>(LinkSocket().get("no-such-link"));
        FAIL() << "found it";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), ENODEV);
    }
}

}  // namespace
}  // namespace tapgate
