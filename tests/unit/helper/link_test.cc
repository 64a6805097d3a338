// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/link.h"
#include "tests/unit/testing.h"

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
    const auto error = exception_of<std::system_error>(
        [] { static_cast<void>(LinkSocket().get("no-such-link")); });
    EXPECT_EQ(error.code().value(), ENODEV);
}

}  // namespace
}  // namespace tapgate
