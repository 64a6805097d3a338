// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/held_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "launcher/error.h"

namespace tapgate {

HeldSignals::HeldSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
    fd_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_)
        fail_with_errno("signalfd");
}

HeldSignals::~HeldSignals() {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void HeldSignals::throw_if_any() const {
    signalfd_siginfo info{};
    if (read(fd_.get(), &info, sizeof info) == sizeof info)
        throw LauncherError("ended by a signal; nothing was kept");
}

}  // namespace tapgate
