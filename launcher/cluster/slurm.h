// SPDX-License-Identifier: GPL-2.0-or-later
//
// Asks Slurm. Its answers are never kept: the next verb asks again. Each question may take 3
// seconds. A Slurm that does not answer is an error, and never means "the VM is off".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// Slurm does not answer.
class SlurmSilence : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

/// All jobs that are VMs of the user's, ordered by name. Throws a LauncherError.
std::vector<SlurmJob> slurm_jobs();

/// The VM's job; nothing when it has none. Throws a LauncherError.
std::optional<SlurmJob> slurm_job(const VmName& vm);

/// Submits a job and returns its number. Throws a LauncherError with sbatch's words.
std::string submit_job(const SlurmRequest& request);

/// Runs scancel: a job in the queue is removed; in a running one the guest's power button is
/// pressed. Throws a LauncherError.
void cancel_job(const std::string& id);

/// How the job ended, "FAILED, exit code 1"; empty when Slurm does not know it any more. Throws a
/// LauncherError.
std::string job_end(const std::string& id);

/// How long a job has from SIGTERM to SIGKILL (KillWait): 30 s, which is Slurm's default, when
/// Slurm does not say.
std::chrono::seconds kill_wait();

/// The path of the log of a VM's job. It is beside the VM's data, so that every node can write it
/// and a failure can be read on the host where the VM was started.
std::string slurm_log_path(const VmName& vm);

/// Whether Slurm has to be asked about the VM: when its file or the environment says `on = slurm`;
/// or, if neither says anything, when it was started there once (there is the log of a job).
bool is_on_slurm(const VmName& vm);

/// Prepares this process's environment for a step in a VM's job, where the VM counts as local. Also
/// removes what Slurm has set for a job that this process may be in itself, since srun would use it
/// for the step. To be called before srun is started.
void prepare_step();

/// The words with which the VM of the job `id` was submitted, as its script says; nothing when it
/// does not say. Throws a LauncherError.
std::optional<std::vector<std::string>> job_words(const std::string& id);

}  // namespace tapgate
