// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/lab/jobs.h"

namespace tapgate {

namespace {

using testing::ElementsAre;

TEST(Jobs, NotesOfATapgate) {
    EXPECT_THAT(notes_in("tapgate: a\ntapgate: /x:1: b\n    y\n    ^\n"),
                ElementsAre("a", "/x:1: b\n    y\n    ^"));
    EXPECT_THAT(notes_in("ld.so: \x1b[1mno\n"), ElementsAre("ld.so: ?[1mno"));
    EXPECT_THAT(notes_in("scp: no\r\nscp: failed\r"), ElementsAre("scp: no\nscp: failed"));
    EXPECT_TRUE(notes_in("").empty());
}

}  // namespace

}  // namespace tapgate
