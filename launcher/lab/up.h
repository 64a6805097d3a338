// SPDX-License-Identifier: GPL-2.0-or-later
//
// Brings a lab up: all of its VMs, or none.
#pragma once

#include <chrono>
#include <string>

#include "launcher/lab/file.h"

namespace tapgate {

/// How VMs are started.
struct LabStart {
    std::string helper;                       ///< empty: the installed one
    std::chrono::milliseconds ready{300000};  ///< for a guest to reach what other sections wait for
};

/// Makes the lab's VMs that do not exist, and starts all that do not run, after checking everything
/// first. When one cannot be started after all, or SIGINT, SIGTERM or SIGHUP comes, it undoes what
/// this call has made and started, and throws a LauncherError with the reason. From this call on,
/// the process ignores SIGPIPE.
void bring_lab_up(const Lab& lab, const LabStart& options);

}  // namespace tapgate
