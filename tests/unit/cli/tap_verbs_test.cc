// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "launcher/cli/command_line.h"
#include "launcher/cli/tap_verbs.h"
#include "launcher/cli/verbs.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::HasSubstr;

std::string error_of_tap(const std::vector<std::string>& words) {
    return error_of([&] { run_with_tap(parse_command_line(grammar(), words, "/")); });
}

TEST(TapVerb, SaysWhatIsMissingOrWrong) {
    EXPECT_THAT(error_of_tap({"tap", "--bridge=br0"}),
                HasSubstr("tapgate tap --bridge=br0 -- COMMAND"));
    EXPECT_THAT(error_of_tap({"tap", "--", "true"}), HasSubstr("needs --bridge=BRIDGE"));
    EXPECT_THAT(error_of_tap({"tap", "--bridge=a/b", "--", "true"}), HasSubstr("no bridge's name"));
    for (const char* const fd : {"--fd=2", "--fd=x", "--fd=3 ", "--fd=99999999999"})
        EXPECT_THAT(error_of_tap({"tap", "--bridge=br0", fd, "--", "true"}), HasSubstr("--fd: `"));
    EXPECT_THAT(error_of_tap({"tap", "--bridge=br0", "--queues=254", "--", "true"}),
                HasSubstr("not a number, 1 to 253"));
    EXPECT_THAT(error_of_tap({"tap", "--bridge=br0", "--mac=ff:ff:ff:ff:ff:ff", "--", "true"}),
                HasSubstr("no station's MAC address"));
    EXPECT_THAT(error_of_tap({"tap", "--bridge=br0", "--vm=a b", "--", "true"}),
                HasSubstr("no VM's name"));
}

}  // namespace

}  // namespace tapgate
