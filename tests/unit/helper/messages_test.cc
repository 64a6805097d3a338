// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <cerrno>

#include "helper/bridge_port.h"
#include "helper/failure.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

TEST(Printable, LeavesOneCleanLine) {
    EXPECT_EQ(printable("br0"), "br0");
    EXPECT_EQ(printable(std::string_view("a\nb\tc\0d\x1b[2J\x7f", 12)), "a?b c?d?[2J?");
    EXPECT_EQ(printable(std::string(80, 'x')), std::string(80, 'x'));
    EXPECT_EQ(printable(std::string(81, 'x')), std::string(80, 'x') + "...");
}

TEST(FailWithErrno, NamesWhatFailedAndWhy) {
    EXPECT_STREQ(exception_of<Failure>([] {
                     fail_with_errno("failed to open /dev/net/tun", ENOENT);
                 }).what(),
                 "failed to open /dev/net/tun: No such file or directory");
    errno = EPERM;
    EXPECT_THROW(fail_with_errno("x"), Failure);
    EXPECT_EQ(error_text(99999), "error 99999");  // none that libc has a text for
}

TEST(FailToAdd, NamesTheStepUnlessTheLinkIsGone) {
    Link bridge;
    bridge.name = "br0";
    const auto said = [&](int error, const char* step) {
        const Failure failure = exception_of<Failure>(
            [&] { fail_to_add("tap1000-1", bridge, LinkError(error, step)); });
        return std::string(failure.what());
    };
    const std::string what = "failed to add interface `tap1000-1' to bridge `br0': ";
    EXPECT_EQ(said(ENOENT, "guard"), what + "guard: No such file or directory");
    EXPECT_EQ(said(ENODEV, "guard"), what + "No such device");
    EXPECT_EQ(said(EBUSY, ""), what + "Device or resource busy");
    EXPECT_EQ(said(EEXIST, "mac-lock"),
              what + "mac-lock: another machine on the bridge has this MAC address: File exists");
}

}  // namespace
}  // namespace tapgate
