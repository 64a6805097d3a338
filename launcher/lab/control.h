// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be done with a lab as a whole. Each function either completes or says what is left to
// do; the next call continues from there.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/lab/plan.h"

namespace tapgate {

/// The right to change labs: a user can have only one `tapgate lab` at a time, so that none counts
/// on memory or taps that another is about to take. Held for as long as the descriptor is open.
/// When another process has it, throws a LauncherError without waiting.
UniqueFd lock_labs();

/// How VMs are ended.
struct LabStop {
    std::chrono::milliseconds limit;  ///< for the guests to power down
    bool force = false;               ///< then cut the power of those that have not
};

/// Powers down all VMs that run. Throws a LauncherError that names those that have not powered
/// down.
void take_lab_down(const std::vector<LabMember>& members, const LabStop& stop);

/// The lab's VMs that run. Throws a LauncherError when there are none.
std::vector<LabMember> running_members(const Lab& lab);

/// The result of a command for one of the lab's VMs.
struct LabAnswer {
    VmName name;
    bool failed = false;
    std::string output;
    std::string errors;  ///< where it failed, never empty
};

struct LabAnswers {
    std::vector<LabAnswer> all;
    std::string signal;  ///< the signal that ended the commands early, "SIGTERM"; empty: none
};

/// Runs `tapgate VERB NAME WORDS...` for each of the lab's running VMs, all at the same time, until
/// they have ended or a signal ends them. The table shows `doing` and `done`. Throws a
/// LauncherError when no VM runs.
LabAnswers ask_lab(const Lab& lab, const std::string& doing, const std::string& done,
                   const std::function<std::vector<std::string>(const VmName& name)>& words);

/// Discards what the VMs with a template have written since they were made; other VMs stay as they
/// are. Throws a LauncherError when one runs and `force` does not allow cutting its power, or when
/// no VM has a template.
void reset_lab(const std::vector<LabMember>& members, bool force);

/// Removes the lab's VMs, which must be off, with everything that belongs to them. Throws a
/// LauncherError after having removed what it could.
void remove_lab(const std::vector<LabMember>& members);

/// What remove_lab() would remove, a line for each. Throws a LauncherError when another VM needs
/// it.
std::string lab_removal_text(const std::vector<LabMember>& members);

/// What is known of a lab's VM.
struct LabVmStatus {
    VmName name;
    Life life = Life::off;
    std::string state = {};  ///< for users to read
    std::string guest = {};  ///< what QEMU calls its guest's state, if it runs here and answers
    std::string node = {};   ///< the Slurm node that it runs on
    std::string up = {};     ///< how long it has run, if Slurm says so
    bool made = false;
    bool planned = true;
    std::uint64_t memory = 0;  ///< in MiB; 0: not known
    std::int64_t started = 0;  ///< seconds since 1970; 0: it does not run
    std::vector<std::string> addresses = {};
};

/// The status of all members; asks the running ones for their addresses, at the same time.
std::vector<LabVmStatus> lab_status(const std::vector<LabMember>& members);

}  // namespace tapgate
