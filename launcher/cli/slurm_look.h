// SPDX-License-Identifier: GPL-2.0-or-later
//
// The looking verbs of a VM that is a job of Slurm's: what the node tells, and what is known here
// besides.
#ifndef TAPGATE_LAUNCHER_CLI_SLURM_LOOK_H
#define TAPGATE_LAUNCHER_CLI_SLURM_LOOK_H

#include <string>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// "job 4711 on n1", for errors and notes.
std::string job_text(const SlurmJob& job);

/// `status' of one that waits, or ends: as much as Slurm knows.
void print_queued(const SlurmJob& job, bool as_json);

/// `status': as it is there, with node, job and limit. Throws a LauncherError.
ExitCode print_status_there(const SlurmJob& job, const CommandLine& command);

/// `ip': what the node knows, and what this host has heard of the guest, where the bridge is one
/// LAN. Throws a LauncherError.
ExitCode print_addresses_there(const SlurmJob& job, const CommandLine& command);

/// `screenshot': the picture is made there, and comes to the file here. Throws a LauncherError.
ExitCode take_picture_there(const SlurmJob& job, const CommandLine& command);

/// For a VM that is off: this process takes the directory of its last run, on whichever host of the
/// home that was, for the VM's own.
void look_where_it_ran(const VmName& name);

}  // namespace tapgate

#endif
