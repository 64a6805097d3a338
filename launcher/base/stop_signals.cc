// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/stop_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>

#include "launcher/base/error.h"

namespace tapgate {

namespace {

sigset_t blocked_signals() {
    sigset_t signals;
    sigprocmask(SIG_BLOCK, nullptr, &signals);
    return signals;
}

}  // namespace

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

std::string StopSignals::take() const {
    signalfd_siginfo info{};
    if (read(fd_.get(), &info, sizeof info) != sizeof info)
        return {};
    const char* const name = sigabbrev_np(static_cast<int>(info.ssi_signo));
    return std::string("SIG") + (name != nullptr ? name : "?");
}

HeldSignals::HeldSignals() : before_(blocked_signals()) {}

HeldSignals::~HeldSignals() {
    sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void HeldSignals::throw_if_any() const {
    if (const std::string signal = signals_.take(); !signal.empty())
        throw LauncherError(signal + ": nothing was kept");
}

}  // namespace tapgate
