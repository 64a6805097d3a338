// SPDX-License-Identifier: GPL-2.0-or-later
//
// The audit log: a line for each grant and each refusal at /dev/log, and no grant without one.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::string_literals;

std::vector<std::string> log_lines(int log) {
    std::vector<std::string> all;
    std::array<char, 8192> buffer{};
    while (true) {
        const ssize_t n = recv(log, buffer.data(), buffer.size(), 0);
        if (n < 0)
            return all;
        all.emplace_back(buffer.data(), static_cast<std::size_t>(n));
    }
}

class Log : public BothInstalls {
  protected:
    void prepare() override { allow_br0(); }

    // Sends as much as the log takes while nobody reads it, and returns the number of lines.
    static int fill() {
        const UniqueFd filler(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const sockaddr_un address = log_address();
        int lines = 0;
        while (sendto(filler.get(), "junk", 4, 0, reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) > 0)
            lines++;
        return lines;
    }
};
TAPGATE_BOTH_INSTALLS(Log);

TEST_P(Log, HasALineForAGrantAndForARefusal) {
    const UniqueFd log = open_log();
    const HelperResult run =
        run_helper({"--br=br0", "--fd=27", "--vm=web1", "--mac=52:54:00:aa:bb:cc"});
    ASSERT_TRUE(granted(run));
    std::vector<std::string> lines = log_lines(log.get());
    ASSERT_EQ(lines.size(), 1U);
    for (const std::string& part :
         {"2001"s, "br0"s, the_tap(), "web1"s, "bridge.conf:1"s, "aa:bb:cc"s}) {
        EXPECT_THAT(lines[0], HasSubstr(part));
    }
    EXPECT_THAT(lines[0], StartsWith("<8"));  // authpriv: 80 to 87
    const HelperResult refused = run_helper({"--br=br9", "--fd=27"});
    EXPECT_EQ(refused.exit_status, 1);
    lines = log_lines(log.get());
    ASSERT_EQ(lines.size(), 1U);
    for (const char* part : {"2001", "br9"}) {
        EXPECT_THAT(lines[0], HasSubstr(part));
    }
}

TEST_P(Log, AGrantThatItDoesNotTakeIsRefused) {
    const UniqueFd log = open_log();
    EXPECT_GT(fill(), 0);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(failed_saying(run_helper(usual_args), "a grant that /dev/log does not take", ""));
    // One second for the grant, and one for the refusal.
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    EXPECT_THAT(ports("br0"), IsEmpty());
    for (const std::string& line : log_lines(log.get()))
        EXPECT_EQ(line, "junk");
    EXPECT_TRUE(granted(run_helper(usual_args)));
}

TEST_P(Log, IsWaitedForASecond) {
    const UniqueFd log = open_log();
    EXPECT_GT(fill(), 0);
    std::vector<std::string> lines;
    std::thread daemon([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        lines = log_lines(log.get());
    });
    EXPECT_TRUE(granted(run_helper(usual_args)));
    daemon.join();
    for (std::string& line : log_lines(log.get()))
        lines.push_back(std::move(line));
    EXPECT_THAT(lines.back(), HasSubstr(": granted uid=2001 "));
}

// A host without a log, or whose log's daemon has died.
TEST_P(Log, AHostWithoutOneStillGrants) {
    ASSERT_NE(access("/dev/log", F_OK), 0);
    EXPECT_TRUE(granted(run_helper(usual_args)));
    { const UniqueFd log = open_log(); }
    ASSERT_EQ(access("/dev/log", F_OK), 0);  // its daemon has died
    EXPECT_TRUE(granted(run_helper(usual_args)));
}

// A log that refuses is another thing than none, since the caller may be the reason.
TEST_P(Log, ThatTheCallerMayNotWriteToIsThere) {
    const UniqueFd log = open_log();
    ASSERT_EQ(chmod("/dev/log", 0600), 0);
    EXPECT_TRUE(
        failed_saying(run_helper(usual_args), "a grant that /dev/log", "Permission denied"));
}

// Each grant is in the log, even when somebody floods it; how many grants there are depends on the
// flood.
TEST_P(Log, HasEachGrantInSpiteOfAFlood) {
    const UniqueFd log = open_log();
    std::atomic<bool> over = false;
    unsigned logged = 0;
    std::thread daemon([&] {
        while (!over) {
            for (const std::string& line : log_lines(log.get()))
                logged += line.find(": granted uid=") != std::string::npos ? 1 : 0;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    });
    std::array<std::thread, 2> flood;
    for (std::thread& thread : flood)
        thread = std::thread([&] {
            while (!over)
                fill();
        });
    unsigned grants = 0;
    for (int i = 0; i < 30; i++) {
        const HelperResult run = run_helper(usual_args);
        grants += run.fds.empty() ? 0 : 1;
        if (run.fds.empty()) {
            EXPECT_TRUE(failed(run, "a grant that /dev/log"));
        }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    over = true;
    for (std::thread& thread : flood)
        thread.join();
    daemon.join();
    for (const std::string& line : log_lines(log.get()))
        logged += line.find(": granted uid=") != std::string::npos ? 1 : 0;
    EXPECT_EQ(logged, grants);
    std::cout << grants << " of 30 were granted\n";
}

}  // namespace
}  // namespace tapgate
