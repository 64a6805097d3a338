// SPDX-License-Identifier: GPL-2.0-or-later
//
// Looks, before a lab is changed, which of its VMs exist and whether the host has what is needed to
// start the others. What can be known beforehand must not fail half way.
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
    std::optional<LabVm> planned;  ///< nothing when the VM exists but is no longer in the file
    bool made = false;             ///< it has a VM file, which this lab has made
    Life life = Life::off;
    bool on_slurm = false;             ///< Slurm decides where it runs, and whether there is room
    std::optional<SlurmJob> job = {};  ///< what Slurm knows about it; `life` agrees with that

    /// "running", "queued: Resources", "not made", ...
    [[nodiscard]] std::string state_text() const;
};

/// The VMs in the lab's file in its order, followed by those that were in it earlier. Throws a
/// LauncherError when a name is taken by a VM that the lab has not made.
std::vector<LabMember> lab_members(const Lab& lab);

/// What the host has for VMs.
struct LabFacts {
    std::uint64_t memory_available = 0;  ///< MiB
    HostNetwork network;
    uid_t user = 0;
    std::map<std::string, PolicyVerdict> verdicts = {};  ///< by bridge
    std::uint64_t memory_limit = 0;  ///< of this job or session, in MiB; 0: none
};

/// The bridges that the VMs need, each once.
std::vector<std::string> lab_bridges(const std::vector<VmSpec>& vms);

/// Throws a LauncherError when the VMs cannot run together: two may write to the same disk, or have
/// the same MAC address on a bridge, or the same port of this host be forwarded to both.
void check_lab_conflicts(const std::vector<VmSpec>& vms);

/// Throws a LauncherError when these VMs cannot all be started, for lack of memory, a bridge, or
/// taps that the policy lets the user have on it (then with ExitCode::refused).
void check_lab_room(const std::vector<VmSpec>& starting, const LabFacts& facts);

/// How many taps the user may have by the words of tapgate-policy; nothing: any number.
std::optional<unsigned> most_taps(std::string_view explained);

}  // namespace tapgate
