// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that a guest's agent writes or reads, which needs no network: as root there, piece by
// piece. What the guest answers is bounded: a piece is no larger than what was asked for, and a
// file ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "launcher/base/progress_bar.h"

namespace tapgate {

/// How files go by the agent.
struct AgentCopy {
    std::string socket;                      ///< QEMU's end of the agent's channel
    std::chrono::milliseconds answer_limit;  ///< for each piece
    std::uint64_t most = std::uint64_t{1} << 30U;
    Progress progress = {};  ///< of what is known to have an end
};

/// Writes the regular file `from` of this host to `to` in the guest: into it, when that is a
/// directory; below /root when it does not begin with '/'. Throws a LauncherError, also for a
/// directory and for more than `most` bytes, and QmpError.
void copy_to_guest(const AgentCopy& copy, const std::string& from, const std::string& to);

/// The other way round. What is called `to` here is the old file until the new one is whole. Throws
/// a LauncherError, also when the guest's file has no end, and QmpError.
void copy_from_guest(const AgentCopy& copy, const std::string& from, const std::string& to);

}  // namespace tapgate
