// SPDX-License-Identifier: GPL-2.0-or-later
//
// srun at this process's terminal: a step of a VM's job, whose words are the user's to see, and not
// what srun adds to them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/program.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// A step that runs; killed when it has not ended before this.
class Step {
  public:
    /// Starts it, `words` being srun_words()'. Throws a LauncherError.
    explicit Step(const std::vector<std::string>& words);

    /// Returns when it has ended (true), or when `fd` is readable before that. Shows meanwhile what
    /// srun and the step write to stderr.
    bool wait_beside(int fd);

    /// Of one that has ended.
    int exit_code() { return srun_->wait(); }

    /// Passes a signal on to srun.
    void signal(int number) {
        words_.expect_end();
        srun_->signal(number);
    }

  private:
    void show(bool to_the_end);

    UniqueFd errors_;
    StepErrors words_;
    std::optional<TerminalProgram> srun_;
};

/// Runs the step to its end, for as long as the user likes; signals are srun's. Returns its exit
/// code. Throws a LauncherError when there is no srun.
int run_step(const std::vector<std::string>& words);

}  // namespace tapgate
