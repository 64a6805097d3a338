// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the jobs of a lab's VMs have in common, whatever they do.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/base/progress_table.h"
#include "launcher/lab/jobs.h"
#include "launcher/lab/plan.h"

namespace tapgate {

/// How much longer `tapgate stop` may take than its guest.
constexpr std::chrono::milliseconds beyond_stop = std::chrono::seconds(60);

/// The members' names, in their order.
std::vector<std::string> names_of(const std::vector<LabMember>& members);

/// The members as a table shows them before anything is done.
std::vector<ProgressTable::Row> rows_of(const std::vector<LabMember>& members);

/// The reason of the first failure, behind the VM's name. `names`: of the table's rows.
std::string first_reason(const JobsResult& result, const std::vector<VmJob>& jobs,
                         const std::vector<std::string>& names);

/// How many jobs at a time: a start is QEMU's and the kernel's work, and hardly a wait.
unsigned default_parallel();

}  // namespace tapgate
