// SPDX-License-Identifier: GPL-2.0-or-later
//
// Before a lab's first VM is made: whether anything stands in the way of any of them.
#pragma once

#include <string>
#include <vector>

#include "launcher/lab/file.h"
#include "launcher/lab/plan.h"

namespace tapgate {

/// Throws a LauncherError with the first thing that keeps the lab's planned `members` from being
/// made and started: templates, images, taps, memory, room on the disk. Changes nothing. `helper`:
/// the path of one; empty: the installed one.
void check_lab_start(const Lab& lab, const std::vector<LabMember>& members,
                     const std::string& helper);

}  // namespace tapgate
