// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/tap_exec.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/base/error.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

// The file behind a descriptor.
std::pair<dev_t, ino_t> file_of(int fd) {
    struct stat status {};
    EXPECT_EQ(fstat(fd, &status), 0) << fd;
    return {status.st_dev, status.st_ino};
}

UniqueFd opened_at(const char* path, int number) {
    const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
    return UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, number));
}

TEST(TapDescriptors, GetTheirNumbersInOrderAlsoWhereTheyStandInEachOthersWay) {
    constexpr int first = 40;
    std::vector<UniqueFd> taps;
    taps.push_back(opened_at("/dev/null", first + 1));
    taps.push_back(opened_at("/dev/zero", first));
    taps.push_back(opened_at("/dev/full", first));
    const auto null = file_of(taps[0].get());
    const auto zero = file_of(taps[1].get());
    const auto full = file_of(taps[2].get());
    place_descriptors(std::move(taps), first);
    EXPECT_EQ(file_of(first), null);
    EXPECT_EQ(file_of(first + 1), zero);
    EXPECT_EQ(file_of(first + 2), full);
    EXPECT_EQ(fcntl(first + 3, F_GETFD), -1);
    for (int fd = first; fd < first + 3; fd++) {
        EXPECT_EQ(fcntl(fd, F_GETFD), 0) << "it does not survive exec: " << fd;
        close(fd);
    }
}

TEST(TapDescriptors, AreNotTakenFromWhoeverStartedUs) {
    require_free_descriptors(50, 3);
    const UniqueFd taken = opened_at("/dev/null", 51);
    ASSERT_EQ(taken.get(), 51);
    require_free_descriptors(50, 1);
    EXPECT_THAT(error_of<LauncherError>([] { require_free_descriptors(50, 2); }),
                testing::HasSubstr("descriptor 51 is open already"));
    EXPECT_THAT(error_of<LauncherError>([] { require_free_descriptors(INT_MAX / 2, 2); }),
                testing::HasSubstr("so none is called "));
}

TEST(TapEnvironment, NamesTheDescriptorsAndTheTap) {
    set_tap_environment(7, 3, "tap1000-2f3");
    EXPECT_STREQ(std::getenv("TAPGATE_TAP_FDS"), "7,8,9");
    EXPECT_STREQ(std::getenv("TAPGATE_TAP_NAME"), "tap1000-2f3");
    unsetenv("TAPGATE_TAP_FDS");
    unsetenv("TAPGATE_TAP_NAME");
}

}  // namespace
}  // namespace tapgate
