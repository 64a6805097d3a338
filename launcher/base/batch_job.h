// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is this process part of a batch system's job? Then others decide how long it lives and how much
// memory it has, and what a login gives a user on a host is not there.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace tapgate {

struct BatchJob {
    enum class System { slurm, htcondor, nomad };
    System system = System::slurm;
    /// What the batch system itself has started, and sends its signals to; else a child of that.
    bool is_task = false;
    /// Slurm: in the batch script and not in a step of srun's. There signals reach the script's
    /// shell only, and when that has ended, so has the job.
    bool in_batch_script = false;
};

/// As it says of itself.
std::string name_of(BatchJob::System system);

/// The job that this process is in; nothing: none.
std::optional<BatchJob> batch_job();

/// The same of an environment; `lookup` as getenv(), `pid` this process's number, `parent` the name
/// of its parent's program: in a container the number may be another than Slurm's.
std::optional<BatchJob> batch_job_in(const std::function<const char*(const char*)>& lookup, int pid,
                                     const std::string& parent = {});

}  // namespace tapgate
