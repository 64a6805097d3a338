// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "launcher/base/child_process.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Ran {
    ProcessEnd end;
    std::string output;
};

Ran run_shell(const std::string& script, const std::vector<int>& inherited = {},
              bool deaf = false) {
    const TemporaryDirectory directory;
    const UniqueFd output(
        open(directory.file("output").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ChildProcess child({.program = "/bin/sh",
                        .argv = {"sh", "-c", script},
                        .inherited = inherited,
                        .output = output.get(),
                        .deaf = deaf});
    const auto end = child.wait(seconds(10));
    EXPECT_TRUE(end);
    return {end.value_or(ProcessEnd{-1}), content_of(directory.file("output"))};
}

TEST(ChildProcess, InheritsTheGivenDescriptorsFromThreeOnAndNoOthers) {
    const TemporaryDirectory directory;
    std::vector<UniqueFd> files;
    for (const char* name : {"first", "second"}) {
        std::ofstream(directory.file(name)) << name;
        files.emplace_back(open(directory.file(name).c_str(), O_RDONLY));
    }
    // In the wrong order, and one that is not close-on-exec and still must not come along.
    const UniqueFd forgotten(open("/dev/null", O_RDONLY));
    const Ran ran = run_shell(
        "cat <&3; echo; cat <&4; echo; for fd in 5 6 7 8 9 10 11 12 13 14 15; do "
        "[ ! -e /proc/self/fd/$fd ] || echo $fd; done",
        {files[1].get(), files[0].get()});
    EXPECT_EQ(ran.output, "second\nfirst\n");
    EXPECT_TRUE(ran.end.in_order());
}

TEST(ChildProcess, IsDeafWhenToldSo) {
    const std::string script = "for s in TERM INT HUP; do kill -$s $$; done; echo survived";
    EXPECT_EQ(run_shell(script, {}, true).output, "survived\n");
    const Ran hears = run_shell(script);
    EXPECT_EQ(hears.output, "");
    EXPECT_EQ(hears.end.text(), "signal 15 (SIGTERM)");
}

TEST(ChildProcess, TellsHowItEnded) {
    EXPECT_EQ(run_shell("exit 3").end.text(), "exit code 3");
    EXPECT_FALSE(run_shell("exit 3").end.in_order());
    EXPECT_EQ(run_shell("kill -KILL $$").end.text(), "signal 9 (SIGKILL)");
}

TEST(ChildProcess, EndsWithItsOwner) {
    std::optional<ChildProcess> child(std::in_place,
                                      Launch{.program = "/bin/sleep", .argv = {"sleep", "1000"}});
    const pid_t pid = child->pid();
    EXPECT_FALSE(child->wait(milliseconds(0)));
    child.reset();
    EXPECT_EQ(kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, NamesTheProgramThatCannotBeStarted) {
    EXPECT_EQ(
        error_of([] { const ChildProcess child({.program = "/nowhere/qemu", .argv = {"qemu"}}); }),
        "cannot start /nowhere/qemu: No such file or directory");
}

}  // namespace

}  // namespace tapgate
