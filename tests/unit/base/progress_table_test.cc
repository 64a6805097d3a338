// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "launcher/base/progress_table.h"

namespace tapgate {

namespace {

using testing::ElementsAre;
using State = ProgressTable::State;

TEST(Progress, LinesAndSummary) {
    const auto now = ProgressTable::Clock::now();
    std::vector<ProgressTable::Row> rows = {
        {"web-1", "runs", State::done, now},
        {"web-10", "starting", State::busy, now - std::chrono::seconds(7)},
        {"web-2", "failed: no\nroom", State::failed, now},
        {"web-3", "", State::waiting, now}};
    EXPECT_THAT(progress_lines(rows, 80, now), ElementsAre("web-1   runs", "web-10  starting (7 s)",
                                                           "web-2   failed: no", "web-3   "));
    for (const std::string& line : progress_lines(rows, 10, now))
        EXPECT_LT(line.size(), 10U);
    EXPECT_EQ(progress_summary(rows, now), "2 of 4 done; starting: web-10 (7 s)");
}

}  // namespace

}  // namespace tapgate
