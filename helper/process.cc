// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/process.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

#include "helper/failure.h"

namespace tapgate {

namespace {

constexpr time_t time_limit_s = 10;

void open_missing_stdio() {
    // open() returns the lowest free number, which is `fd`: those below are open by now.
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            fail_with_errno("failed to open /dev/null");
}

extern "C" void give_up(int /*signal*/) {
    constexpr std::string_view text = "tapgate-helper: gave up after 10 seconds\n";
    // A failing write could not be reported anywhere; the exit code is enough.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    _exit(EXIT_FAILURE);
}

void start_time_limit() {
    struct sigaction action {};
    action.sa_handler = give_up;
    // If nobody reads stderr, the write in the handler blocks. The next SIGALRM, a second later,
    // then ends the process.
    action.sa_flags = static_cast<int>(SA_NODEFER | SA_RESETHAND);
    const itimerval limit{{1, 0}, {time_limit_s, 0}};
    if (sigaction(SIGALRM, &action, nullptr) != 0 || setitimer(ITIMER_REAL, &limit, nullptr) != 0)
        fail_with_errno("failed to set the time limit");
    // QEMU starts its helper with SIGALRM, SIGCHLD and others blocked. Here only two are, so that a
    // caller whose stderr is closed, or is a file at its size limit, gets exit code 1 and not a
    // death by signal.
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGPIPE);
    sigaddset(&blocked, SIGXFSZ);
    if (sigprocmask(SIG_SETMASK, &blocked, nullptr) != 0)
        fail_with_errno("failed to set the signal mask");
}

}  // namespace

void settle_process() {
    open_missing_stdio();
    clearenv();
    std::signal(SIGCHLD, SIG_DFL);  // a caller who ignores it would hide how our children end
    start_time_limit();
}

void close_stray_fds(int keep) {
    constexpr unsigned first = STDERR_FILENO + 1;
    const auto kept = static_cast<unsigned>(keep);
    if (kept > first)
        close_range(first, kept - 1, 0);
    if (close_range(kept < first ? first : kept + 1, ~0U, 0) != 0)
        fail_with_errno("failed to close stray file descriptors");
}

}  // namespace tapgate
