// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/stop_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>

#include "launcher/base/error.h"

namespace tapgate {

namespace {

constexpr int stop_signals[] = {SIGTERM, SIGINT, SIGHUP};

std::string name_of_signal(int signal) {
    const char* const name = sigabbrev_np(signal);
    return std::string("SIG") + (name != nullptr ? name : "?");
}

sigset_t blocked_signals() {
    sigset_t signals;
    sigprocmask(SIG_BLOCK, nullptr, &signals);
    return signals;
}

}  // namespace

ExitCode code_of_signal(const std::string& name) {
    constexpr int beyond_codes = 128;
    for (const int signal : stop_signals)
        if (name == name_of_signal(signal))
            return static_cast<ExitCode>(beyond_codes + signal);
    return ExitCode::failed;
}

StopSignals::StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : stop_signals) {
        struct sigaction now {};
        // A descriptor would receive an ignored signal, too.
        if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_IGN)
            sigaddset(&signals, signal);
    }
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_.reset(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_)
        fail_with_errno("signalfd");
}

std::string StopSignals::take() const {
    signalfd_siginfo info{};
    if (read(fd_.get(), &info, sizeof info) != sizeof info)
        return {};
    return name_of_signal(static_cast<int>(info.ssi_signo));
}

HeldSignals::HeldSignals() : before_(blocked_signals()) {}

HeldSignals::~HeldSignals() {
    sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void HeldSignals::throw_if_any() const {
    if (const std::string signal = signals_.take(); !signal.empty())
        throw LauncherError(signal + ": nothing was kept", code_of_signal(signal));
}

}  // namespace tapgate
