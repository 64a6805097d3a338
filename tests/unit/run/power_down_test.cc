// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <chrono>

#include "launcher/run/power_down.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = PowerDown::Step;

class PowerDownTest : public testing::Test {
  protected:
    static constexpr PowerDown::Limits limits{
        .guest = seconds(10), .quit = seconds(2), .kill = seconds(1)};
    const PowerDown::Clock::time_point start_{std::chrono::hours(1)};
    PowerDown down_{limits};

    Step due_after(milliseconds passed) { return down_.due(start_ + passed); }
};

TEST_F(PowerDownTest, DoesNothingUnlessToldTo) {
    EXPECT_FALSE(down_.next());
    EXPECT_EQ(due_after(std::chrono::hours(1000)), Step::none);
    EXPECT_EQ(down_.step(), Step::none);
}

TEST_F(PowerDownTest, AsksAgainThenQuitsThenKillsThenGivesUp) {
    EXPECT_EQ(down_.begin(start_), Step::ask);
    EXPECT_EQ(due_after(seconds(1)), Step::none);
    EXPECT_EQ(due_after(seconds(3)), Step::ask);
    EXPECT_EQ(due_after(seconds(3)), Step::none);
    EXPECT_EQ(due_after(milliseconds(9999)), Step::ask);
    EXPECT_EQ(due_after(seconds(10)), Step::quit);
    EXPECT_EQ(down_.step(), Step::quit);
    EXPECT_EQ(due_after(milliseconds(11999)), Step::none);
    EXPECT_EQ(due_after(seconds(12)), Step::kill);
    EXPECT_EQ(due_after(milliseconds(12999)), Step::none);
    EXPECT_EQ(due_after(seconds(13)), Step::give_up);
    EXPECT_FALSE(down_.next());
    EXPECT_EQ(due_after(std::chrono::hours(1)), Step::none);
}

TEST_F(PowerDownTest, TellsWhenToLookAgain) {
    down_.begin(start_);
    EXPECT_EQ(down_.next(), start_ + seconds(3));
    due_after(seconds(9));
    EXPECT_EQ(down_.next(), start_ + seconds(10));
    due_after(seconds(10));
    EXPECT_EQ(down_.next(), start_ + seconds(12));
}

TEST_F(PowerDownTest, ManySignalsAreOneWish) {
    EXPECT_EQ(down_.begin(start_), Step::ask);
    EXPECT_EQ(down_.begin(start_), Step::none);
    EXPECT_EQ(due_after(seconds(10)), Step::quit);
    EXPECT_EQ(down_.begin(start_ + seconds(10)), Step::none);
}

TEST_F(PowerDownTest, AnImpatientUserGoesOn) {
    EXPECT_EQ(down_.hurry(start_), Step::ask);
    EXPECT_EQ(down_.hurry(start_), Step::quit);
    EXPECT_EQ(down_.hurry(start_), Step::kill);
    EXPECT_EQ(down_.hurry(start_), Step::none);
    EXPECT_EQ(due_after(seconds(1)), Step::give_up);
    EXPECT_EQ(down_.hurry(start_), Step::none);
}

TEST_F(PowerDownTest, WhatCannotBeAskedIsKilledAtOnce) {
    down_.begin(start_);
    EXPECT_EQ(down_.kill(start_), Step::kill);
    EXPECT_EQ(down_.next(), start_ + seconds(1));
    EXPECT_EQ(due_after(seconds(1)), Step::give_up);
}

TEST_F(PowerDownTest, NoTimeForTheGuestMeansQuit) {
    PowerDown down({.guest = milliseconds(0)});
    EXPECT_EQ(down.begin(start_), Step::ask);
    EXPECT_EQ(down.due(start_), Step::quit);
}

}  // namespace

}  // namespace tapgate
