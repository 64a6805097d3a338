// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/batch_job.h"

#include <unistd.h>

#include <cstdlib>

#include "launcher/base/files.h"

namespace tapgate {

std::string name_of(BatchJob::System system) {
    switch (system) {
        case BatchJob::System::slurm:
            return "Slurm";
        case BatchJob::System::htcondor:
            return "HTCondor";
        case BatchJob::System::nomad:
            return "Nomad";
    }
    return {};
}

std::optional<BatchJob> batch_job_in(const std::function<const char*(const char*)>& lookup, int pid,
                                     const std::string& parent) {
    const auto has = [&](const char* name) {
        const char* const value = lookup(name);
        return value != nullptr && *value != '\0';
    };
    // salloc also sets the job's number, in a shell on the login node; only slurmd's own processes
    // have the name of a node.
    if (has("SLURM_JOB_ID") && has("SLURMD_NODENAME")) {
        const char* const task = lookup("SLURM_TASK_PID");
        return BatchJob{
            .system = BatchJob::System::slurm,
            .is_task = (task != nullptr && std::to_string(pid) == task) || parent == "slurmstepd",
            .in_batch_script = !has("SLURM_STEP_ID")};
    }
    if (has("_CONDOR_SCRATCH_DIR"))
        return BatchJob{.system = BatchJob::System::htcondor};
    if (has("NOMAD_ALLOC_ID"))
        return BatchJob{.system = BatchJob::System::nomad};
    return std::nullopt;
}

std::optional<BatchJob> batch_job() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    return batch_job_in([](const char* name) { return std::getenv(name); }, getpid(),
                        first_word("/proc/" + std::to_string(getppid()) + "/comm"));
}

}  // namespace tapgate
