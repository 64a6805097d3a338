// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that a guest's agent writes or reads, as root there, piece by piece; no network is needed.
// The guest's answers are limited: a piece is never longer than was asked for, and a file has a
// largest size.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "launcher/base/progress_bar.h"

namespace tapgate {

/// How files are copied by the agent.
struct AgentCopy {
    std::string socket;                      ///< QEMU's end of the agent's channel
    std::chrono::milliseconds answer_limit;  ///< the time for each piece
    std::uint64_t most = std::uint64_t{1} << 30U;
    Progress progress = {};  ///< is told of a file whose size is known
};

/// Copies the regular file `from` of this host to `to` in the guest; if that is a directory, into
/// it. A `to` that does not begin with '/' is below /root. Throws QmpError, or a LauncherError,
/// also when `from` is a directory or has more than `most` bytes.
void copy_to_guest(const AgentCopy& copy, const std::string& from, const std::string& to);

/// The other way round. An existing file `to` stays as it is until the new one is complete. Throws
/// QmpError, or a LauncherError, also when the guest's file has no end.
void copy_from_guest(const AgentCopy& copy, const std::string& from, const std::string& to);

}  // namespace tapgate
