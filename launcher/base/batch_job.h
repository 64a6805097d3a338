// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether this process is part of a batch system's job. If so, others decide how long it lives and
// how much memory it has, and the host lacks what a login sets up for a user.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace tapgate {

struct BatchJob {
    enum class System { slurm, htcondor, nomad };
    System system = System::slurm;
    /// Whether the batch system started this very process, which then gets its signals, and not one
    /// of its ancestors.
    bool is_task = false;
    /// Slurm: in the batch script, not in a step started by srun. Signals then reach only the
    /// script's shell, and the job ends when that ends.
    bool in_batch_script = false;
};

/// The name that the batch system calls itself.
std::string name_of(BatchJob::System system);

/// The job that this process is in; nothing when it is in none.
std::optional<BatchJob> batch_job();

/// The same for another environment: `lookup` works like getenv(), `pid` is this process's number,
/// and `parent` the name of its parent's program. (In a container, `pid` may differ from the number
/// that Slurm knows.)
std::optional<BatchJob> batch_job_in(const std::function<const char*(const char*)>& lookup, int pid,
                                     const std::string& parent = {});

}  // namespace tapgate
