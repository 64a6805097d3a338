// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/stop_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "launcher/error.h"

namespace tapgate {

StopSignals::StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_.reset(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_)
        fail_with_errno("signalfd");
}

std::string StopSignals::take() {
    signalfd_siginfo info{};
    if (read(fd_.get(), &info, sizeof info) != sizeof info)
        return {};
    const char* const name = sigabbrev_np(static_cast<int>(info.ssi_signo));
    return std::string("SIG") + (name != nullptr ? name : "?");
}

}  // namespace tapgate
