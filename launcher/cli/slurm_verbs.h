// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs for a VM that is a Slurm job: `start` submits the job, and the others are carried out
// where it runs.
#pragma once

#include <optional>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// If the VM of `command` is not on this host, carries out the command where it is, and returns the
/// exit code. Nothing when the command is for this host. Throws a LauncherError, also when Slurm
/// does not answer.
std::optional<ExitCode> done_on_slurm(const CommandLine& command);

/// The jobs of the user's VMs, for `list`. If none of his VMs is one, returns none without asking
/// Slurm. Throws as slurm_jobs() does.
std::vector<SlurmJob> jobs_to_list();

}  // namespace tapgate
