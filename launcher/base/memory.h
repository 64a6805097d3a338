// SPDX-License-Identifier: GPL-2.0-or-later
//
// How much memory there is for VMs: the host's, and what the cgroup of this process (a job's, a
// container's, a slice's) lets it have of that.
#pragma once

#include <cstdint>
#include <string>

namespace tapgate {

/// In MiB.
struct Memory {
    std::uint64_t available = 0;  ///< what may still be taken: the least of all
    /// The limit of the cgroup that is the narrowest; 0: none is narrower than the host.
    std::uint64_t limit = 0;
};

/// Of this process now. `root`: what is before /proc and /sys, for tests.
Memory memory(const std::string& root = {});

/// How many processes the kernel has killed for want of memory in this process's cgroup and those
/// above it that have a limit. What is of interest is whether it grows.
std::uint64_t memory_kills(const std::string& root = {});

}  // namespace tapgate
