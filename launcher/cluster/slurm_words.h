// SPDX-License-Identifier: GPL-2.0-or-later
//
// The command lines of Slurm's programs, and the meaning of their output. Pure: slurm.h runs them.
//
// A VM is a job called tapgate-NAME. Slurm's queue is the only list of VMs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A VM's job, as squeue shows it.
struct SlurmJob {
    std::string id;      ///< "4711"
    VmName vm;           ///< the VM that it runs
    std::string state;   ///< "PENDING", "RUNNING", ...
    std::string node;    ///< empty when it has none yet
    std::string up;      ///< how long it has run: "1-02:03:04"
    std::string limit;   ///< how long it may run: "8:00:00", "UNLIMITED"
    std::string reason;  ///< why it waits: "Resources", "None"

    /// Whether its processes are on the node, so that steps can be made there.
    [[nodiscard]] bool runs() const { return state == "RUNNING"; }
    /// Whether it has not begun yet.
    [[nodiscard]] bool waits() const;
    /// Whether it is over, except for Slurm's own work at the end.
    [[nodiscard]] bool is_ending() const { return state == "COMPLETING"; }
    /// "running", "queued: Resources", "stopping", ...
    [[nodiscard]] std::string state_text() const;
};

/// squeue for the user's jobs, or only for the job of `vm`.
std::vector<std::string> squeue_words(const std::optional<VmName>& vm = std::nullopt);

/// The jobs of VMs in squeue's output, without other jobs. If a VM has several, the most
/// significant one: a running job counts before a waiting one, and that before an ending one.
std::vector<SlurmJob> parse_squeue(std::string_view output);

/// Whether a program of Slurm's failed only because the controller does not answer.
bool is_silence(std::string_view errors);

/// The job that is to run a VM.
struct SlurmRequest {
    VmName vm;
    std::uint64_t memory = 0;          ///< MiB
    unsigned cpus = 1;                 ///< the guest's
    std::vector<std::string> options;  ///< sbatch's own, from `on=slurm,...`: "partition=vms"
    std::string lab;                   ///< the lab that the VM belongs to; empty: none
    std::string output;                ///< the absolute path for the job's output
    std::string directory;             ///< the directory in which it starts
    std::vector<std::string> command;  ///< what it runs, the program first
    /// The arguments of `start`, for `restart` to find.
    std::vector<std::string> words = {};
};

/// The MiB that a VM's job needs.
std::uint64_t job_memory(const VmSpec& vm);

/// sbatch for the request. No word of it is special to a shell.
std::vector<std::string> sbatch_words(const SlurmRequest& request);

/// The job's number in the output of sbatch --parsable ("4711" or "4711;cluster"); empty when there
/// is none.
std::string parse_sbatch(std::string_view output);

/// srun to run `command` in the directory "/", beside what already runs in the job. With
/// `terminal`, it gets a terminal there that is connected to this one.
std::vector<std::string> srun_words(const SlurmJob& job, const std::vector<std::string>& command,
                                    bool terminal = false);

/// Filters what srun writes to its stderr. Removes what srun says about a step that ends with an
/// exit code other than 0: the step has said itself what was wrong, and srun ends with the same
/// code. What is not a line of srun's passes at once, whether complete or not.
class StepErrors {
  public:
    /// What to show, now that `bytes` have come.
    std::string pass(std::string_view bytes);
    /// What is left to show at the end.
    std::string rest();
    /// From now on, that the step is terminated is not worth showing: it was asked to end.
    void expect_end() { end_expected_ = true; }

  private:
    bool end_expected_ = false;
    std::string held_;          // the beginning of a line that may be srun's
    bool inside_line_ = false;  // within a line that is not srun's
};

/// The words with which a VM was submitted, from the output of `scontrol write batch_script`;
/// nothing when tapgate has not submitted it.
std::optional<std::vector<std::string>> parse_batch_script(std::string_view script);

/// KillWait in the output of `scontrol show config`, in seconds: the time from SIGTERM to SIGKILL.
/// Nothing when it is not there.
std::optional<unsigned> parse_kill_wait(std::string_view output);

/// How long a guest may take to power down in a job with `kill_wait` from SIGTERM to SIGKILL, so
/// that there is time to end QEMU in order if it takes longer.
std::chrono::milliseconds power_down_limit_in_job(std::chrono::seconds kill_wait);

/// How a job ended, from the output of `scontrol show job` ("ExitCode=1:0" and the like): "FAILED,
/// exit code 1", "NODE_FAIL". Empty when Slurm does not know it any more.
std::string parse_job_end(std::string_view output);

}  // namespace tapgate
