// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <csignal>

#include "launcher/base/stop_signals.h"

namespace tapgate {

namespace {

TEST(StopSignals, AreTakenWhenTheyCome) {
    const HeldSignals signals;
    EXPECT_EQ(signals.take(), "");
    raise(SIGHUP);
    EXPECT_EQ(signals.take(), "SIGHUP");
    raise(SIGTERM);
    EXPECT_THROW(signals.throw_if_any(), LauncherError);
    EXPECT_EQ(signals.take(), "");
}

// Who types `nohup tapgate run web &` and closes the terminal wants the VM to go on.
TEST(StopSignals, AreLeftAloneWhereTheyAreIgnored) {
    std::signal(SIGHUP, SIG_IGN);
    {
        const HeldSignals signals;
        raise(SIGHUP);
        EXPECT_EQ(signals.take(), "");
        raise(SIGTERM);
        EXPECT_EQ(signals.take(), "SIGTERM");
    }
    std::signal(SIGHUP, SIG_DFL);
}

}  // namespace

}  // namespace tapgate
