// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <cerrno>

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

}  // namespace
}  // namespace tapgate
