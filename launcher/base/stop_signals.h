// SPDX-License-Identifier: GPL-2.0-or-later
//
// SIGTERM, SIGINT and SIGHUP as a descriptor, for work that must be cleaned up before it ends.
#pragma once

#include <csignal>
#include <string>

#include "common/unique_fd.h"
#include "launcher/base/error.h"

namespace tapgate {

/// The exit code after such a signal, as a shell reports it for a program that does not handle the
/// signal: 130 for "SIGINT".
ExitCode code_of_signal(const std::string& name);

/// From its construction to the end of the process, these signals do nothing by themselves. A
/// signal that was ignored when this process was started (nohup, a background job) stays ignored.
class StopSignals {
  public:
    StopSignals();

    /// A descriptor that poll() finds readable when a signal came; still owned here.
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// The name of a signal that came; empty when none did. Never blocks.
    [[nodiscard]] std::string take() const;

  private:
    UniqueFd fd_;
};

/// The same for as long as it lives, so that unfinished work can be removed when a signal comes.
class HeldSignals {
  public:
    HeldSignals();
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    /// As in StopSignals.
    [[nodiscard]] int fd() const { return signals_.fd(); }
    [[nodiscard]] std::string take() const { return signals_.take(); }

    /// If a signal came, throws a LauncherError with its code.
    void throw_if_any() const;

  private:
    sigset_t before_;
    StopSignals signals_;
};

}  // namespace tapgate
