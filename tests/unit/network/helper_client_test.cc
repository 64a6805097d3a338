// SPDX-License-Identifier: GPL-2.0-or-later
//
// Against fake_helper.cc, which does what the bridge's name says.
#include "launcher/network/helper_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include "common/fd_passing.h"
#include "launcher/base/text.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using Kind = HelperError::Kind;

const std::string fake = TAPGATE_FAKE_HELPER;

TapRequest request_for(const std::string& bridge, unsigned queues = 1) {
    return {.bridge = *InterfaceName::parse(bridge),
            .queues = queues,
            .vnet_header = true,
            .mac = {},
            .vm = {}};
}

HelperError request_error(const std::string& helper, const TapRequest& request,
                          milliseconds limit = helper_time_limit) {
    return exception_of<HelperError>([&] { request_taps(helper, request, limit); });
}

HelperError request_error(const std::string& act, unsigned queues = 1,
                          milliseconds limit = helper_time_limit) {
    return request_error(fake, request_for(act, queues), limit);
}

std::set<std::string> open_descriptors() {
    std::set<std::string> names;
    DIR* directory = opendir("/proc/self/fd");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
    while (const dirent* entry = readdir(directory))
        names.insert(entry->d_name);
    closedir(directory);
    return names;
}

// Whatever happens, nothing stays open and nothing stays to be waited for.
class HelperClient : public testing::Test {
  protected:
    // Without what was inherited, which takes numbers in between: dpkg-buildpackage's 4, 10, 11.
    HelperClient() {
        close_range(STDERR_FILENO + 1, ~0U, 0);
        before_ = open_descriptors();
    }
    void TearDown() override {
        EXPECT_EQ(open_descriptors(), before_);
        EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
        EXPECT_EQ(errno, ECHILD);
    }

  private:
    std::set<std::string> before_;
};

TEST_F(HelperClient, BringsAsManyDescriptorsAsQueues) {
    for (const unsigned queues : {1U, 2U, 8U, unsigned{max_fds_in_message}}) {
        const auto fds = request_taps(fake, request_for("grant", queues));
        ASSERT_EQ(fds.size(), queues);
        for (const UniqueFd& fd : fds)
            EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
    }
    EXPECT_EQ(request_taps(fake, request_for("warn", 2)).size(), 2U);
}

TEST_F(HelperClient, AsksForWhatIsWanted) {
    TapRequest request = request_for("words");
    EXPECT_EQ(request_error(fake, request).words(), "--br=words\n--fd=3\n--use-vnet");
    request.vnet_header = false;
    request.queues = 4;
    request.mac = MacAddress::parse("52:54:00:12:34:56");
    request.vm = VmName::parse("lab-1");
    EXPECT_EQ(request_error(fake, request).words(),
              "--br=words\n--fd=3\n--queues=4\n--mac=52:54:00:12:34:56\n--vm=lab-1");
}

TEST_F(HelperClient, NoNumberOfQueuesThatCannotBe) {
    EXPECT_THROW(request_taps(fake, request_for("grant", 0)), std::invalid_argument);
    EXPECT_THROW(request_taps(fake, request_for("grant", max_fds_in_message + 1)),
                 std::invalid_argument);
}

TEST_F(HelperClient, ARefusalHasTheHelpersWords) {
    const HelperError error = request_error("refuse");
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.words(), "access denied by acl file: x:7: deny br0");
    EXPECT_STREQ(error.what(),
                 "no tap on refuse from tapgate-helper: access denied by acl file: x:7: deny br0");
}

TEST_F(HelperClient, WordsAreFitForATerminal) {
    EXPECT_EQ(request_error("escape").words(), "?[31mred? line\n   ^");
    EXPECT_EQ(terminal_text(" \n"), "");
    EXPECT_EQ(terminal_text("abcd", 2), "ab...");
    EXPECT_EQ(terminal_text("abcd\nef\n", 7), "abcd\nef");
    EXPECT_EQ(terminal_text("abcd\nef", 6), "abcd\ne...");
    EXPECT_EQ(terminal_text("abcd\nef", 4), "abcd\n...");
    // NOLINTNEXTLINE(misc-misleading-bidirectional): this is what it has to be safe from
    EXPECT_EQ(terminal_text("a\xc2\x9b"
                            "2J\n\xe2\x80\xae"
                            "b\xc3\xa4"),
              "a??2J\n???b\xc3\xa4");
    EXPECT_EQ(terminal_lines("a\n\n\x1b[m\n", 99), "a\n\n?[m\n");
}

TEST_F(HelperClient, TheHelperGetsNoOtherDescriptor) {
    // Without close-on-exec, and low and high.
    const UniqueFd low(open("/dev/null", O_RDWR));  // NOLINT(android-cloexec-open)
    const UniqueFd high(fcntl(low.get(), F_DUPFD, 500));
    EXPECT_EQ(request_error("descriptors").words(), "0 1 2 3");
}

TEST_F(HelperClient, TheHelpersSignalsAreAsAfterLogin) {
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    const auto pipe_before = std::signal(SIGPIPE, SIG_IGN);
    const std::string state = request_error("signals").words();
    std::signal(SIGPIPE, pipe_before);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    // Signals 32 and 33 are libc's own.
    EXPECT_THAT(state, testing::AnyOf("SigBlk: 0000000000000000\nSigIgn: 0000000000000000",
                                      "SigBlk: 0000000000000000\nSigIgn: 0000000180000000"));
}

TEST_F(HelperClient, AProgramThatIsNotThere) {
    const HelperError error = request_error("/nonexistent/helper", request_for("grant"));
    EXPECT_EQ(error.kind(), Kind::not_started);
    EXPECT_STREQ(error.what(),
                 "cannot start the helper /nonexistent/helper: No such file or directory; is "
                 "tapgate-helper installed there? tapgate doctor tells what else is missing");
    EXPECT_EQ(request_error("", request_for("grant")).kind(), Kind::not_started);
}

TEST_F(HelperClient, WhatIsNoProgram) {
    EXPECT_STREQ(request_error("/dev/null", request_for("grant")).what(),
                 "cannot start the helper /dev/null: Permission denied");
    EXPECT_STREQ(request_error("/", request_for("grant")).what(),
                 "cannot start the helper /: Permission denied");

    std::string path = testing::TempDir() + "tapgate-helper-XXXXXX";
    const UniqueFd file(mkostemp(path.data(), O_CLOEXEC));
    ASSERT_EQ(fchmod(file.get(), 0755), 0);
    std::ofstream(path) << "no #!\n";
    const UniqueFd closed(dup(file.get()));
    EXPECT_EQ(request_error(path, request_for("grant")).kind(), Kind::not_started);
    unlink(path.c_str());
}

// A script is a program too.
TEST_F(HelperClient, AShellScriptThatRefuses) {
    std::string path = testing::TempDir() + "tapgate-helper-XXXXXX";
    UniqueFd file(mkostemp(path.data(), O_CLOEXEC));
    ASSERT_EQ(fchmod(file.get(), 0755), 0);
    std::ofstream(path) << "#!/bin/sh\necho \"$# words\" >&2\nexit 7\n";
    file.reset();  // while it is open for writing, it cannot be run
    const HelperError error = request_error(path, request_for("grant"));
    unlink(path.c_str());
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.words(), "3 words");
}

TEST_F(HelperClient, NothingIsLookedForInPath) {
    EXPECT_EQ(request_error("true", request_for("grant")).kind(), Kind::not_started);
    EXPECT_THAT(helper_path(), StartsWith("/"));
    EXPECT_THAT(helper_path(), EndsWith("/tapgate-helper"));
    EXPECT_EQ(helper_path("x"), "x");
}

TEST_F(HelperClient, AHelperThatHangsIsKilled) {
    for (const char* act : {"hang", "late-hang", "stubborn", "flood-hang"}) {
        SCOPED_TRACE(act);
        const HelperError error = request_error(act, 2, milliseconds(300));
        EXPECT_EQ(error.kind(), Kind::too_slow);
        EXPECT_THAT(error.what(), HasSubstr("did not end within 300 ms and was killed"));
        if (std::string(act).rfind("flood", 0) != 0) {
            EXPECT_EQ(kill(std::stoi(error.words()), 0), -1);
            EXPECT_EQ(errno, ESRCH);
        }
    }
}

TEST_F(HelperClient, WordsWithoutEndAreBoundedInSizeAndTime) {
    EXPECT_EQ(request_error("flood-ever", 1, milliseconds(300)).kind(), Kind::too_slow);
    const HelperError error = request_error("flood");
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_LE(error.words().size(), 4100U);
    EXPECT_THAT(error.words(), StartsWith("xxx"));
    EXPECT_THAT(error.words(), EndsWith("..."));
}

// Who holds the socket and stderr open does not matter: the helper's end does.
TEST_F(HelperClient, AChildThatStaysBehindIsNotWaitedFor) {
    const HelperError error = request_error("child");
    kill(std::stoi(error.words()), SIGKILL);
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_THAT(error.words(), EndsWith("\nrefused"));
}

TEST_F(HelperClient, WrongRepliesAreRefusedAndLeakNothing) {
    for (const char* act :
         {"fewer", "more", "most", "each", "twice", "byte", "text", "more-text"}) {
        SCOPED_TRACE(act);
        const HelperError error = request_error(act, 2);
        EXPECT_EQ(error.kind(), Kind::broken);
        EXPECT_THAT(error.what(),
                    HasSubstr("sent something else than 2 descriptors in one message"));
    }
    for (const char* act : {"nothing", "close"}) {
        SCOPED_TRACE(act);
        const HelperError error = request_error(act);
        EXPECT_EQ(error.kind(), Kind::broken);
        EXPECT_THAT(error.what(), EndsWith("sent nothing, instead of 1 descriptor in one message"));
    }
}

TEST_F(HelperClient, ANonzeroExitCodeCountsMoreThanTaps) {
    const HelperError error = request_error("send-and-fail");
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.words(), "but no");
}

TEST_F(HelperClient, EndsWithoutAWord) {
    const HelperError silent = request_error("silent");
    EXPECT_EQ(silent.kind(), Kind::broken);
    EXPECT_THAT(silent.what(), EndsWith("ended with exit code 3 and without a word"));

    const HelperError killed = request_error("abort");
    EXPECT_EQ(killed.kind(), Kind::broken);
    EXPECT_THAT(killed.what(), EndsWith("died by signal 9 (SIGKILL): oh"));
}

// nohup, some batch systems and Python start programs with signals ignored.
TEST_F(HelperClient, WorksWithSigchldIgnored) {
    const auto before = std::signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ(request_taps(fake, request_for("grant", 2)).size(), 2U);
    EXPECT_EQ(request_error("refuse").kind(), Kind::refused);
    EXPECT_EQ(request_error("hang", 1, milliseconds(100)).kind(), Kind::too_slow);
    std::signal(SIGCHLD, before);
}

// Without stdio, the sockets of this process get its numbers.
TEST_F(HelperClient, WorksWithStdioClosed) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        int failures = 0;
        try {
            failures += request_taps(fake, request_for("grant", 2)).size() == 2 ? 0 : 1;
            request_taps(fake, request_for("descriptors"));
            failures += 2;
        } catch (const HelperError& error) {
            failures += error.words() == "0 1 2 3" ? 0 : 4;
        }
        _exit(failures);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(HelperClient, TooFewDescriptorsAreAnErrorAndNoHang) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const auto used = static_cast<rlim_t>(UniqueFd(dup(0)).get());
    // A socket, stderr's pipe, a pidfd and four taps: with room for one more there is no error.
    // Whether six do depends on whether stderr has been read to its end by then.
    constexpr rlim_t plenty = 8;
    unsigned refused = 0;
    for (rlim_t more = 0; more < plenty + 4; more++) {
        const rlimit few{used + more, before.rlim_max};
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
        try {
            EXPECT_EQ(request_taps(fake, request_for("grant", 4)).size(), 4U);
        } catch (const std::exception& error) {
            EXPECT_STRNE(error.what(), "");
            EXPECT_LT(more, plenty) << error.what();
            refused++;
        }
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
        EXPECT_EQ(static_cast<rlim_t>(UniqueFd(dup(0)).get()), used) << "left open";
    }
    EXPECT_GE(refused, 6U);
}

TEST_F(HelperClient, OpensVhostForEachQueueOrSaysWhyNot) {
    const VhostQueues queues = open_vhost(3, "/dev/null");
    EXPECT_EQ(queues.fds.size(), 3U);
    EXPECT_EQ(queues.why_not, "");
    EXPECT_EQ(fcntl(queues.fds[0].get(), F_GETFD), FD_CLOEXEC);

    const VhostQueues none = open_vhost(3, "/nonexistent/vhost-net");
    EXPECT_TRUE(none.fds.empty());
    EXPECT_EQ(none.why_not, "/nonexistent/vhost-net: No such file or directory");
}

}  // namespace
}  // namespace tapgate
