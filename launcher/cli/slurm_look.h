// SPDX-License-Identifier: GPL-2.0-or-later
//
// The looking verbs of a VM that is a job of Slurm's: what the node tells, and what is known here
// besides.
#pragma once

#include <string>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/cluster/slurm_words.h"
#include "launcher/run/usage.h"

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

/// `vnc': where its screen is there, and how a viewer here gets to that. Throws a LauncherError.
ExitCode print_screen_there(const SlurmJob& job, const CommandLine& command);

/// A viewer that this host's desktop would show: throws a LauncherError with the way, since the
/// screen is a socket of the node's. Nothing when there is no desktop here, or no screen there.
void refuse_view_there(const SlurmJob& job);

/// What the user's VMs on the jobs' nodes take; `unknown` gets a line for each node that does not
/// answer. VMs of this host are left out.
std::vector<VmUsage> usage_there(const std::vector<SlurmJob>& jobs,
                                 std::vector<std::string>& unknown);

/// Says what a change of the VM's file means for a job that it has already.
void note_change_of_job(const VmName& name);

/// `doctor' of a VM whose host is not known yet: throws a LauncherError with the way.
[[noreturn]] void refuse_doctor_here(const VmName& name);

/// For a VM that is off: this process takes the directory of its last run, on whichever host of the
/// home that was, for the VM's own.
void look_where_it_ran(const VmName& name);

}  // namespace tapgate
