// SPDX-License-Identifier: GPL-2.0-or-later
//
// What all jobs for a lab's VMs have in common.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/base/progress_table.h"
#include "launcher/lab/jobs.h"
#include "launcher/lab/plan.h"

namespace tapgate {

/// How much longer than its guest `tapgate stop` may take.
constexpr std::chrono::milliseconds beyond_stop = std::chrono::seconds(60);

/// The members' names, in their order.
std::vector<std::string> names_of(const std::vector<LabMember>& members);

/// The rows for the members in a table, before anything has been done.
std::vector<ProgressTable::Row> rows_of(const std::vector<LabMember>& members);

/// The reason of the first failure, after the VM's name. `names` are those of the table's rows.
std::string first_reason(const JobsResult& result, const std::vector<VmJob>& jobs,
                         const std::vector<std::string>& names);

/// How many jobs to run at the same time: a start keeps a processor busy, and hardly waits.
unsigned default_parallel();

}  // namespace tapgate
