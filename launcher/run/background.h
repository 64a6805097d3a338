// SPDX-License-Identifier: GPL-2.0-or-later
//
// Starts a VM in the background, under a supervisor that outlives this process: as a unit of the
// user's systemd if there is one.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/names.h"
#include "launcher/base/error.h"

namespace tapgate {

/// Starts `tapgate run --ready-fd=3 WORDS` and waits until its guest runs; returns done then. If
/// the start fails, returns the supervisor's exit code; the supervisor has said why.
/// `power_down_limit` is how long the guest may take when systemd ends the unit or a signal ends
/// this start. Throws a LauncherError when there is no supervisor, it dies, or it takes too long;
/// and one with the signal's code when a signal came first: the VM has then ended again.
ExitCode start_supervisor(const VmName& name, std::chrono::milliseconds power_down_limit,
                          const std::vector<std::string>& words);

}  // namespace tapgate
