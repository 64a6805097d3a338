// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that look at a VM, for one that is a Slurm job: they show what its node reports, and
// what is known here.
#pragma once

#include <string>

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/cluster/slurm_words.h"
#include "launcher/run/usage.h"

namespace tapgate {

/// "job 4711 on n1", for errors and notes.
std::string job_text(const SlurmJob& job);

/// `status` for a job that waits or ends: as much as Slurm knows.
void print_queued(const SlurmJob& job, bool as_json);

/// `status` from the node, with node, job and limit added. Throws a LauncherError.
ExitCode print_status_there(const SlurmJob& job, const CommandLine& command);

/// `ip`: what the node knows, and what this host has heard of the guest if the bridge spans both.
/// Throws a LauncherError.
ExitCode print_addresses_there(const SlurmJob& job, const CommandLine& command);

/// `screenshot`: the node takes the picture, and it is written to the file here. Throws a
/// LauncherError.
ExitCode take_picture_there(const SlurmJob& job, const CommandLine& command);

/// `vnc`: where the screen is on the node, and how a viewer here can reach it. Throws a
/// LauncherError.
ExitCode print_screen_there(const SlurmJob& job, const CommandLine& command);

/// `view` on this host's desktop: throws a LauncherError that says how, since the screen is a
/// socket on the node. Does nothing when there is no desktop here or no screen there.
void refuse_view_there(const SlurmJob& job);

/// What the user's VMs use on the nodes of the jobs, without those on this host. `unknown` gets a
/// line for each node that does not answer.
std::vector<VmUsage> usage_there(const std::vector<SlurmJob>& jobs,
                                 std::vector<std::string>& unknown);

/// Prints what a change of the VM's file means for a job that exists already.
void note_change_of_job(const VmName& name);

/// `doctor` for a VM whose host is not known yet: throws a LauncherError that says what to do.
[[noreturn]] void refuse_doctor_here(const VmName& name);

/// For a VM that is off: makes this process use the directory of its last run, on whichever host
/// that shares the home it was.
void look_where_it_ran(const VmName& name);

}  // namespace tapgate
