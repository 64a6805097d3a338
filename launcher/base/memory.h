// SPDX-License-Identifier: GPL-2.0-or-later
//
// How much memory there is for VMs: the host's, limited by the cgroup of this process (a job's, a
// container's, a slice's).
#pragma once

#include <cstdint>
#include <string>

namespace tapgate {

/// In MiB.
struct Memory {
    std::uint64_t available = 0;  ///< what can still be taken, under the tightest of all limits
    /// The tightest cgroup limit; 0 when none is below the host's memory.
    std::uint64_t limit = 0;
};

/// The memory for this process now. `root` is prepended to /proc and /sys, for tests.
Memory memory(const std::string& root = {});

/// How many processes the kernel has killed for lack of memory in this process's cgroup and in
/// those above it that have a limit. Callers look at whether it grows.
std::uint64_t memory_kills(const std::string& root = {});

}  // namespace tapgate
