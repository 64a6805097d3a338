// SPDX-License-Identifier: GPL-2.0-or-later
//
// Before a lab is touched: which of its VMs are there, and whether the host has what those that are
// to start need. What can be known beforehand does not fail half way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/cluster/slurm_words.h"
#include "launcher/lab/file.h"
#include "launcher/network/host_network.h"
#include "launcher/network/policy_verdict.h"
#include "launcher/vm/state.h"

namespace tapgate {

/// A VM of the lab, as it is now.
struct LabMember {
    VmName name;
    std::optional<LabVm> planned;  ///< nothing: the file had it once, and the VM is still there
    bool made = false;             ///< it has a VM file, which this lab made
    Life life = Life::off;
    bool on_slurm = false;             ///< where it runs, and whether there is room, is Slurm's
    std::optional<SlurmJob> job = {};  ///< what Slurm knows of it; `life' says the same

    /// "running", "queued: Resources", "not made", ...
    [[nodiscard]] std::string state_text() const;
};

/// Those that the lab's file has, in its order, and behind them those that it once had. Throws a
/// LauncherError where a name is taken by a VM that the lab has not made.
std::vector<LabMember> lab_members(const Lab& lab);

/// What the host has for VMs.
struct LabFacts {
    std::uint64_t memory_available = 0;  ///< MiB
    HostNetwork network;
    uid_t user = 0;
    std::map<std::string, PolicyVerdict> verdicts = {};  ///< for each bridge
    std::uint64_t memory_limit = 0;  ///< of this job or session, in MiB; 0: it has none
};

/// The bridges that the VMs cannot do without, each once.
std::vector<std::string> lab_bridges(const std::vector<VmSpec>& vms);

/// Throws a LauncherError when the VMs, started together, would take something from each other: a
/// disk that two may write to, a MAC address that two have on the same bridge.
void check_lab_conflicts(const std::vector<VmSpec>& vms);

/// Throws a LauncherError when there is not enough for these VMs to be started: memory, a bridge,
/// taps that the policy lets the user have on it (ExitCode::refused then).
void check_lab_room(const std::vector<VmSpec>& starting, const LabFacts& facts);

/// How many taps at a time, by the words of tapgate-policy; nothing: any number.
std::optional<unsigned> most_taps(std::string_view explained);

}  // namespace tapgate
