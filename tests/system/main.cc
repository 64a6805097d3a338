// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs the tests below an init process of their own: whatever a test starts ends with the run,
// even when the run crashes, is interrupted or is killed by ctest's time limit. (A parent-death
// signal alone would not do: the kernel clears it when a setuid program is executed.)

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include <gtest/gtest.h>

namespace {

int status_of(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

int wait_for(pid_t child) {
    int status = 0;
    while (true) {
        const pid_t done = waitpid(-1, &status, 0);
        if (done == child)
            return status_of(status);
        if (done < 0 && errno != EINTR)
            return 1;
    }
}

// The init process of the new PID namespace: reaps orphans until the tests are over. Its own end is
// the end of every process in the namespace.
[[noreturn]] void init_process() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // /proc must be that of the new PID namespace, for the tests and for the helper.
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
        std::perror("system_tests: cannot set up the test process");
        _exit(1);
    }
    const pid_t tests = fork();
    if (tests == 0) {
        const int result = RUN_ALL_TESTS();
        std::fflush(nullptr);
        _exit(result);
    }
    _exit(tests < 0 ? 1 : wait_for(tests));
}

// Makes the PID namespace. Not in main()'s process: it could start no process any more once the
// namespace's init has ended, which a sanitizer wants to do at exit.
[[noreturn]] void contain() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWPID) != 0) {
        std::perror("system_tests: no PID namespace");
        _exit(1);
    }
    const pid_t child = fork();
    if (child == 0)
        init_process();
    _exit(child < 0 ? 1 : wait_for(child));
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    // Without privilege every test skips, or fails when MUST_WORK=1.
    if (GTEST_FLAG_GET(list_tests) || geteuid() != 0)
        return RUN_ALL_TESTS();
    const pid_t child = fork();
    if (child == 0)
        contain();
    return child < 0 ? 1 : wait_for(child);
}
