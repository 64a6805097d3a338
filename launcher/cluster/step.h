// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs srun at this process's terminal: a step of a VM's job, of which the user sees the step's own
// output, without what srun adds to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/program.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// A running step. The destructor kills it unless it has ended.
class Step {
  public:
    /// Starts the step; `words` are from srun_words(). Throws a LauncherError.
    explicit Step(const std::vector<std::string>& words);

    /// Waits until the step has ended (returns true) or `fd` is readable before that (returns
    /// false). Meanwhile shows what srun and the step write to stderr.
    bool wait_beside(int fd);

    /// The exit code of a step that has ended.
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

/// Runs the step to its end, for as long as the user likes; signals go to srun. Returns its exit
/// code. Throws a LauncherError when there is no srun.
int run_step(const std::vector<std::string>& words);

}  // namespace tapgate
