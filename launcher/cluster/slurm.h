// SPDX-License-Identifier: GPL-2.0-or-later
//
// Slurm, asked. What it says is never kept: the next verb asks again. Each question has 3 seconds;
// a Slurm that does not answer is an error, and never "the VM is off".
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

/// All of the user's VMs that are jobs, by name. Throws a LauncherError.
std::vector<SlurmJob> slurm_jobs();

/// The VM's job; nothing: it has none. Throws a LauncherError.
std::optional<SlurmJob> slurm_job(const VmName& vm);

/// Hands a job in; returns its number. Throws a LauncherError with sbatch's words.
std::string submit_job(const SlurmRequest& request);

/// scancel: takes it out of the queue, or presses its guest's power button. Throws a LauncherError.
void cancel_job(const std::string& id);

/// How the job ended, "FAILED, exit code 1"; empty when Slurm does not know it any more. Throws a
/// LauncherError.
std::string job_end(const std::string& id);

/// How long a job has from SIGTERM to SIGKILL (KillWait); 30 s, Slurm's default, where it does not
/// say.
std::chrono::seconds kill_wait();

/// Where the words of a VM's job go: beside the VM's data, so that each node can write there and a
/// failure can be read where it was started.
std::string slurm_log_path(const VmName& vm);

/// Is the VM one that Slurm has to be asked about? Yes where `on = slurm` stands in its file or the
/// environment; where neither says anything, when it was started there once (there is the log of a
/// job).
bool is_on_slurm(const VmName& vm);

/// Makes this process's environment one for a step in a VM's job: there the VM is here. And what
/// Slurm has told of the job that this process may be in itself goes, since srun would take it for
/// what the step is to be. To be called before srun is started.
void prepare_step();

/// The words that the VM of the job `id` was handed in with, as its script says; nothing: it does
/// not. Throws a LauncherError.
std::optional<std::vector<std::string>> job_words(const std::string& id);

}  // namespace tapgate
