// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is said to Slurm's programs, and what their words mean. Pure: slurm.h runs them.
//
// A VM is a job named tapgate-NAME. There is no other list of VMs than Slurm's queue.
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

/// A VM's job, as squeue tells it.
struct SlurmJob {
    std::string id;      ///< "4711"
    VmName vm;           ///< whose job it is
    std::string state;   ///< "PENDING", "RUNNING", ...
    std::string node;    ///< empty: none yet
    std::string up;      ///< how long it has run, as "1-02:03:04"
    std::string limit;   ///< how long it may, as "8:00:00", "UNLIMITED"
    std::string reason;  ///< why it waits: "Resources"; "None"

    /// Its processes are on the node: steps can be made there.
    [[nodiscard]] bool runs() const { return state == "RUNNING"; }
    /// It has not begun yet.
    [[nodiscard]] bool waits() const;
    /// It is over but for what Slurm does behind it.
    [[nodiscard]] bool is_ending() const { return state == "COMPLETING"; }
    /// "running", "queued: Resources", "stopping", ...
    [[nodiscard]] std::string state_text() const;
};

/// squeue for the user's jobs; `vm`: only for that VM's.
std::vector<std::string> squeue_words(const std::optional<VmName>& vm = std::nullopt);

/// The VMs' jobs in squeue's output; other jobs are left out. Of several of a VM's that one which
/// says most of it: one that runs before one that waits before one that ends.
std::vector<SlurmJob> parse_squeue(std::string_view output);

/// Whether a failed program of Slurm's says that the controller is not there, and no more than
/// that.
bool is_silence(std::string_view errors);

/// The job that a VM is to become.
struct SlurmRequest {
    VmName vm;
    std::uint64_t memory = 0;          ///< MiB
    unsigned cpus = 1;                 ///< of the guest's
    std::vector<std::string> options;  ///< sbatch's own, from `on=slurm,...': "partition=vms"
    std::string lab;                   ///< whose VM it is; empty: no lab's
    std::string output;                ///< where the job's words go, an absolute path
    std::string directory;             ///< where it begins
    std::vector<std::string> command;  ///< what it runs, the program first
    /// What `start` was given, to be found again by `restart`.
    std::vector<std::string> words = {};
};

/// MiB that a VM's job needs.
std::uint64_t job_memory(const VmSpec& vm);

/// sbatch for the request. Without a shell's meaning in any word of it.
std::vector<std::string> sbatch_words(const SlurmRequest& request);

/// The job's number in sbatch's --parsable output ("4711" or "4711;cluster"); empty: none is there.
std::string parse_sbatch(std::string_view output);

/// srun that runs `command` beside what already runs in the job, in the directory "/". `terminal`:
/// with a terminal of its own there, which is connected to this one.
std::vector<std::string> srun_words(const SlurmJob& job, const std::vector<std::string>& command,
                                    bool terminal);

/// What srun writes to its stderr, without what it says of each step that ends with another exit
/// code than 0: what the step itself has said is the reason, and its exit code is srun's. What is
/// no line of srun's passes at once, whole or not.
class StepErrors {
  public:
    /// What is to be shown now that `bytes` have come.
    std::string pass(std::string_view bytes);
    /// What is left at the end.
    std::string rest();
    /// From here on it is no news that the step is ended: it was asked to.
    void expect_end() { end_expected_ = true; }

  private:
    bool end_expected_ = false;
    std::string held_;          // the beginning of a line that may be Slurm's
    bool inside_line_ = false;  // of one that is not
};

/// The words that a VM was handed in with, in what `scontrol write batch_script` tells of its job;
/// nothing: it was not handed in by tapgate.
std::optional<std::vector<std::string>> parse_batch_script(std::string_view script);

/// The seconds of KillWait in `scontrol show config`, from SIGTERM to SIGKILL; nothing: not there.
std::optional<unsigned> parse_kill_wait(std::string_view output);

/// How long a guest may take to power down in a job that has `kill_wait` from SIGTERM to SIGKILL:
/// so that QEMU is still ended in order when it takes longer.
std::chrono::milliseconds power_down_limit_in_job(std::chrono::seconds kill_wait);

/// "ExitCode=1:0" and the like in `scontrol show job`, for what remains to be said of a job that
/// ended: "FAILED, exit code 1", "NODE_FAIL". Empty: Slurm does not know it any more.
std::string parse_job_end(std::string_view output);

}  // namespace tapgate
