// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "launcher/base/program.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::HasSubstr;

TEST(Program, IsRunWithItsWordsAsTheyAre) {
    const ProgramResult result = run_program({"printf", "%s|%s", "a b", "$HOME;"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.output, "a b|$HOME;");
    EXPECT_EQ(run_program({"false"}).exit_code, 1);
    EXPECT_THAT(run_program({"ls", "/nowhere/at/all"}).errors, HasSubstr("/nowhere/at/all"));
    EXPECT_EQ(run_program({"cat"}).output, "");
    EXPECT_THAT(error_of([] { run_program({"no-such-program"}); }), HasSubstr("is it installed?"));
}

TEST(Program, HasALimit) {
    using std::chrono::milliseconds;
    EXPECT_THAT(error_of([] {
                    run_program({"sleep", "60"}, milliseconds(50));
                }),
                HasSubstr("does not end"));
    EXPECT_THAT(error_of([] { run_program({"yes"}, milliseconds(10000), 1000); }),
                HasSubstr("writes more than 1000 bytes"));
}

// Who started us may ignore SIGCHLD (a supervisor that reaps nobody): then wait() tells no status.
TEST(Program, TellsItsExitCodeWhereSigchldIsIgnored) {
    std::signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ(run_at_terminal({"false"}), 1);
    std::signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ(TerminalProgram({"false"}).wait(), 1);
    EXPECT_THAT(error_of([] { TerminalProgram({"no-such-program"}); }), HasSubstr("cannot start"));
}

}  // namespace

}  // namespace tapgate
