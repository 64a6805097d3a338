// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs `tapgate` commands for many VMs at the same time, each in a process of its own. So each has
// the time limits and errors of the same command in a shell, and none can harm another.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "launcher/base/progress_table.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

struct VmJob {
    size_t row = 0;                  ///< the VM's row in the table
    std::vector<std::string> words;  ///< the arguments of `tapgate`: "start", "web-1"
    std::string doing;               ///< "starting"
    std::string done;                ///< "runs"
    std::chrono::milliseconds limit{0};
    std::vector<size_t> after = {};  ///< the jobs that must have succeeded before
    bool only_waits = false;         ///< it uses nothing of this host, so any number may run
    /// When a signal comes or another job fails, SIGTERM goes to it, and it undoes what it began.
    bool ends_at_signal = false;
};

struct JobResult {
    enum class End { not_begun, succeeded, failed };

    End end = End::not_begun;
    int exit_code = 0;
    std::string output;
    std::vector<std::string> notes;  ///< each "tapgate: ..." on stderr, without that prefix
    std::string errors;              ///< all of stderr
};

struct JobsResult {
    std::vector<JobResult> jobs;  ///< in the order of the jobs
    std::vector<size_t> failed;   ///< in the order in which they failed
    std::string signal;           ///< the signal that ended it early, "SIGINT"; empty: none
};

struct JobOptions {
    unsigned parallel = 1;           ///< how many may run at the same time
    bool stop_at_failure = false;    ///< begin no more jobs when one has failed
    StopSignals* stop = nullptr;     ///< begin no more jobs when a signal comes
    ProgressTable* table = nullptr;  ///< shows the progress; null: nothing is shown
};

/// Runs the jobs. Waits for all that have begun, up to their limits. Does not begin a job after one
/// that failed and that it depends on. Throws a LauncherError when no process can be started.
JobsResult run_jobs(const std::vector<VmJob>& jobs, const JobOptions& options);

/// The notes in what `tapgate` wrote to stderr. A note may have several lines.
std::vector<std::string> notes_in(std::string_view errors);

}  // namespace tapgate
