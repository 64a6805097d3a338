// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM is started in the background: under a supervisor that outlives this process, as a unit of
// the user's systemd where there is one.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Starts `tapgate run --ready-fd=3 WORDS` and waits until its guest runs. Returns done then, and
/// otherwise the supervisor's exit code; it has said why. `power_down_limit`: how long the guest
/// may take when systemd ends the unit, or a signal this start. Throws a LauncherError when there
/// is no supervisor, it dies, or it takes too long; and with the signal's code when one came first:
/// the VM has ended again then.
ExitCode start_supervisor(const VmName& name, std::chrono::milliseconds power_down_limit,
                          const std::vector<std::string>& words);

}  // namespace tapgate
