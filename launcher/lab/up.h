// SPDX-License-Identifier: GPL-2.0-or-later
//
// A lab is brought up: all of its VMs, or none.
#pragma once

#include <chrono>
#include <string>

#include "launcher/lab/file.h"

namespace tapgate {

/// How VMs are started.
struct LabStart {
    std::string helper;                       ///< empty: the installed one
    std::chrono::milliseconds ready{300000};  ///< for a guest to be what another section waits for
};

/// Makes the lab's VMs that are not there, and starts all that do not run. Checks everything first;
/// when one cannot start after all, or SIGINT, SIGTERM or SIGHUP comes, what this call has made and
/// started goes again, and it throws a LauncherError with the reason. From this call on the process
/// ignores SIGPIPE.
void bring_lab_up(const Lab& lab, const LabStart& options);

}  // namespace tapgate
