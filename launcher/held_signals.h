// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_LAUNCHER_HELD_SIGNALS_H
#define TAPGATE_LAUNCHER_HELD_SIGNALS_H

#include <csignal>

#include "common/unique_fd.h"

namespace tapgate {

/// While it lives, SIGINT, SIGTERM and SIGHUP wait in a descriptor: what is half made is taken away
/// first.
class HeldSignals {
  public:
    HeldSignals();
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    /// Readable for poll() when one came; still owned here.
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// Throws a LauncherError when one came.
    void throw_if_any() const;

  private:
    sigset_t before_{};
    UniqueFd fd_;
};

}  // namespace tapgate

#endif
