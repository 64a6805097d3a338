// SPDX-License-Identifier: GPL-2.0-or-later
//
// SIGTERM, SIGINT and SIGHUP as a descriptor: what they end has to be put in order first.
#ifndef TAPGATE_LAUNCHER_STOP_SIGNALS_H
#define TAPGATE_LAUNCHER_STOP_SIGNALS_H

#include <string>

#include "common/unique_fd.h"

namespace tapgate {

/// From its construction to the end of the process these signals do nothing by themselves.
class StopSignals {
  public:
    StopSignals();

    /// Readable for poll() when one came; still owned here.
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// The name of one that came; empty: none did. Never waits.
    std::string take();

  private:
    UniqueFd fd_;
};

}  // namespace tapgate

#endif
