// SPDX-License-Identifier: GPL-2.0-or-later
//
// Checks, before a lab's first VM is made, whether anything prevents any of them from starting.
#pragma once

#include <string>
#include <vector>

#include "launcher/lab/file.h"
#include "launcher/lab/plan.h"

namespace tapgate {

/// Throws a LauncherError with the first thing that prevents the lab's planned `members` from being
/// made and started: templates, images, taps, memory, disk space. Changes nothing. `helper` is the
/// path of one; empty means the installed one.
void check_lab_start(const Lab& lab, const std::vector<LabMember>& members,
                     const std::string& helper);

}  // namespace tapgate
