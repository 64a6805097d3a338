// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be done with a lab as a whole. Each of these either comes to its end or says what is
// left to do; the next try goes on from there.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/lab/file.h"
#include "launcher/lab/plan.h"

namespace tapgate {

/// The right to change labs: one `tapgate lab' of a user's at a time, so that none counts on memory
/// or taps that another is about to take. Held while the descriptor is open. Throws a LauncherError
/// when another process has it, without waiting.
UniqueFd lock_labs();

/// How VMs are ended.
struct LabStop {
    std::chrono::milliseconds limit;  ///< for the guests to power down
    bool force = false;               ///< cut the power when that is over
};

/// Powers all down that run. Throws a LauncherError that names those that have not.
void take_lab_down(const std::vector<LabMember>& members, const LabStop& stop);

/// Those that run. Throws a LauncherError when there are none.
std::vector<LabMember> running_members(const std::vector<LabMember>& members);

/// What a command of the lab's VMs has come to.
struct LabAnswer {
    VmName name;
    bool failed = false;
    std::string output;
    std::string errors;
};

struct LabAnswers {
    std::vector<LabAnswer> all;
    std::string signal;  ///< that ended the commands early, "SIGTERM"; empty: none did
};

/// Runs `tapgate VERB NAME WORDS...` for each VM of the lab that runs, all at the same time, until
/// they have ended, or a signal ends them. `doing`, `done`: as the table shows it. Throws a
/// LauncherError when none runs.
LabAnswers ask_lab(const std::vector<LabMember>& members, const std::string& doing,
                   const std::string& done,
                   const std::function<std::vector<std::string>(const VmName& name)>& words);

/// Gives up what the VMs that have a template have written since they were made; the others stay as
/// they are. Throws a LauncherError when one runs and `force` is not there to cut its power, or
/// when there are none.
void reset_lab(const std::vector<LabMember>& members, bool force);

/// Removes the lab's VMs, which must be off, with all that belongs to them. Throws a LauncherError,
/// having removed what can be.
void remove_lab(const std::vector<LabMember>& members);

/// What remove_lab() would remove, a line each. Throws a LauncherError when another VM needs it.
std::string lab_removal_text(const std::vector<LabMember>& members);

/// What is known of a lab's VM.
struct LabVmStatus {
    VmName name;
    Life life = Life::off;
    std::string state = {};  ///< in words, for users
    std::string node = {};   ///< of Slurm's that it runs on
    std::string up = {};     ///< how long, where Slurm says so
    bool made = false;
    bool planned = true;
    std::uint64_t memory = 0;  ///< MiB; 0: not known
    std::int64_t started = 0;  ///< seconds since 1970; 0: it does not run
    std::vector<std::string> addresses = {};
};

/// Of all of them; asks those that run for their addresses at the same time.
std::vector<LabVmStatus> lab_status(const std::vector<LabMember>& members);

}  // namespace tapgate
