// SPDX-License-Identifier: GPL-2.0-or-later
//
// A command line that is for the same program on another host.
#pragma once

#include <string>
#include <vector>

#include "launcher/cli/command_line.h"
#include "launcher/cluster/slurm_words.h"

namespace tapgate {

/// The words of the command line, its files by absolute paths: they mean the same in another
/// directory.
std::vector<std::string> words_there(const CommandLine& command);

/// When it has failed on the job's node: says so of a file that is on this host, and maybe not
/// there.
void note_missing_there(const SlurmJob& job, const CommandLine& command);

}  // namespace tapgate
