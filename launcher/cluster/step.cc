// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cluster/step.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

Step::Step(const std::vector<std::string>& words) {
    if (!find_program(words.at(0)))
        throw LauncherError("on=slurm: there is no " + words[0] +
                            " here; install Slurm's client (Debian: slurm-client)");
    Pipe pipe = make_pipe();
    srun_.emplace(words, pipe.writing.get());
    errors_ = std::move(pipe.reading);
    fcntl(errors_.get(), F_SETFL, O_NONBLOCK);
}

bool Step::wait_beside(int fd) {
    for (;;) {
        // poll() ignores negative descriptors.
        std::array<pollfd, 3> fds{pollfd{srun_->pidfd(), POLLIN, 0}, pollfd{fd, POLLIN, 0},
                                  pollfd{errors_.get(), POLLIN, 0}};
        if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
            fail_with_errno("poll");
        const bool has_ended = fds[0].revents != 0;
        if (has_ended || fds[2].revents != 0)
            show(has_ended);
        if (has_ended || fds[1].revents != 0)
            return has_ended;
    }
}

void Step::show(bool to_the_end) {
    std::array<char, 16384> buffer{};
    ssize_t got = 0;
    while (errors_ && (got = read(errors_.get(), buffer.data(), buffer.size())) > 0)
        write_all(STDERR_FILENO, words_.pass({buffer.data(), static_cast<size_t>(got)}));
    if (got == 0)
        errors_.reset();
    if (to_the_end)
        write_all(STDERR_FILENO, words_.rest());
}

int run_step(const std::vector<std::string>& words) {
    const HeldSignals signals;
    Step step(words);
    while (!step.wait_beside(signals.fd())) {
        const std::string name = signals.take();
        step.signal(name == "SIGINT" ? SIGINT : name == "SIGHUP" ? SIGHUP : SIGTERM);
    }
    return step.exit_code();
}

}  // namespace tapgate
