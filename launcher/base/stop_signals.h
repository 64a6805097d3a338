// SPDX-License-Identifier: GPL-2.0-or-later
//
// SIGTERM, SIGINT and SIGHUP as a descriptor: what they end has to be put in order first.
#pragma once

#include <csignal>
#include <string>

#include "common/unique_fd.h"
#include "launcher/base/error.h"

namespace tapgate {

/// The exit code of what such a signal has ended, as a shell has it of a program that does not
/// handle it: 130 for "SIGINT".
ExitCode code_of_signal(const std::string& name);

/// From its construction to the end of the process these signals do nothing by themselves. One that
/// whoever started this process had it ignore (nohup, a shell in the background) stays ignored.
class StopSignals {
  public:
    StopSignals();

    /// Readable for poll() when one came; still owned here.
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// The name of one that came; empty: none did. Never waits.
    [[nodiscard]] std::string take() const;

  private:
    UniqueFd fd_;
};

/// The same while it lives: what is half made is taken away first, when one comes.
class HeldSignals {
  public:
    HeldSignals();
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    /// As of StopSignals.
    [[nodiscard]] int fd() const { return signals_.fd(); }
    [[nodiscard]] std::string take() const { return signals_.take(); }

    /// Throws a LauncherError with the code of the signal when one came.
    void throw_if_any() const;

  private:
    sigset_t before_;
    StopSignals signals_;
};

}  // namespace tapgate
