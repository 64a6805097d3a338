// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs of a VM that is a job of Slurm's: `start' hands the job in, and the others are done
// where it runs.
#pragma once

#include <optional>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// Does what `command` asks for where its VM is, when that is not here; returns the exit code.
/// Nothing: it is for this host. Throws a LauncherError, also when Slurm does not answer.
std::optional<ExitCode> done_on_slurm(const CommandLine& command);

/// The jobs of the user's VMs, for `list': none and without a question to Slurm where no VM of his
/// is one. Throws as slurm_jobs() does.
std::vector<SlurmJob> jobs_to_list();

}  // namespace tapgate
