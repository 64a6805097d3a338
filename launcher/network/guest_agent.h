// SPDX-License-Identifier: GPL-2.0-or-later
//
// The agent that a guest may have (qemu-guest-agent), which answers over a socket of QEMU's. Its
// protocol is QMP's without greeting and events (docs/interop/qemu-ga in QEMU's sources). It is the
// guest that answers: nothing of it is trusted.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// A network interface as the guest's agent describes it.
struct AgentInterface {
    std::optional<MacAddress> mac;
    std::vector<std::string> addresses;  ///< valid ones, as inet_ntop(3) writes them
};

/// The guest's interfaces. `path`: QEMU's end of the agent's channel. Everything together takes
/// `limit` at most. Throws QmpError; too_slow: no agent runs in the guest, or another program talks
/// with it.
std::vector<AgentInterface> agent_interfaces(const std::string& path,
                                             std::chrono::milliseconds limit);

/// How a command in the guest ended, and what it wrote.
struct AgentResult {
    int exit_code = 0;  ///< 128 and the signal's number after a signal, as with a shell
    std::string output;
    std::string errors;
    bool cut = false;  ///< the agent has lost a part of it
};

/// Has the agent run `words` (the first is looked for in the guest's PATH), as root and with
/// nothing on stdin, and waits up to `limit` for its end; each answer may take `answer_limit`.
/// Throws a QmpError, and a LauncherError when the agent refuses.
AgentResult agent_exec(const std::string& path, const std::vector<std::string>& words,
                       std::chrono::milliseconds answer_limit, std::chrono::milliseconds limit);

/// Whether an agent answers at all. Never throws QmpError.
bool agent_answers(const std::string& path, std::chrono::milliseconds limit);

}  // namespace tapgate
