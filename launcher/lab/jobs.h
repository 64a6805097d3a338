// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate' commands of many VMs at the same time, each a process of its own: so every one has the
// time limits and the error of the same command typed at a shell, and none can harm another.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/base/progress_table.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

struct VmJob {
    size_t row = 0;                  ///< the VM's in the table
    std::vector<std::string> words;  ///< behind `tapgate`: "start", "web-1"
    std::string doing;               ///< "starting"
    std::string done;                ///< "runs"
    std::chrono::milliseconds limit{0};
    std::vector<size_t> after = {};  ///< jobs that must have succeeded before
    bool only_waits = false;         ///< needs nothing of this host, so any number may run
    /// SIGTERM goes to it when a signal comes, or another fails: it undoes what it began.
    bool ends_at_signal = false;
};

struct JobResult {
    enum class End { not_begun, succeeded, failed };

    End end = End::not_begun;
    int exit_code = 0;
    std::string output;
    std::vector<std::string> notes;  ///< each "tapgate: ..." of stderr, without that
    std::string errors;              ///< stderr, as it was
};

struct JobsResult {
    std::vector<JobResult> jobs;  ///< in the order of the jobs
    std::vector<size_t> failed;   ///< in the order of time
    std::string signal;           ///< that ended it early, "SIGINT"; empty: none did
};

struct JobOptions {
    unsigned parallel = 1;           ///< how many may run at the same time
    bool stop_at_failure = false;    ///< begin no more then
    StopSignals* stop = nullptr;     ///< begin no more when one comes
    ProgressTable* table = nullptr;  ///< nothing: nothing is shown
};

/// Runs the jobs; those that have begun are waited for in any case, up to their limits. A job whose
/// predecessor failed is not begun. Throws a LauncherError when the kernel lets no process start.
JobsResult run_jobs(const std::vector<VmJob>& jobs, const JobOptions& options);

/// The notes in what a `tapgate' wrote to stderr; a note may have several lines.
std::vector<std::string> notes_in(std::string_view errors);

}  // namespace tapgate
