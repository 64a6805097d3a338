// SPDX-License-Identifier: GPL-2.0-or-later
//
// The agent that a guest may run (qemu-guest-agent), which answers over a socket of QEMU's. Its
// protocol is QMP without greeting and events (docs/interop/qemu-ga in QEMU's sources). The guest
// answers, so nothing that comes is trusted.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// A network interface as the guest's agent reports it.
struct AgentInterface {
    std::optional<MacAddress> mac;
    std::vector<std::string> addresses;  ///< only valid ones, as inet_ntop(3) writes them
};

/// The guest's interfaces. `path` is QEMU's end of the agent's channel. Takes at most `limit` in
/// all. Throws QmpError; too_slow when no agent runs in the guest, or another client talks to it.
std::vector<AgentInterface> agent_interfaces(const std::string& path,
                                             std::chrono::milliseconds limit);

/// How a command in the guest ended, and its output.
struct AgentResult {
    int exit_code = 0;  ///< after a signal: 128 plus its number, as in a shell
    std::string output;
    std::string errors;
    bool cut = false;  ///< the agent has lost a part of the output
};

/// Lets the agent run `words` as root with an empty stdin (the first is looked up in the guest's
/// PATH), and waits up to `limit` for the end; each answer may take `answer_limit`. SIGINT, SIGTERM
/// and SIGHUP end the command in the guest, and are then its exit code. Throws a QmpError, also
/// when a signal has not ended it within `answer_limit`, and a LauncherError when the agent
/// refuses.
AgentResult agent_exec(const std::string& path, const std::vector<std::string>& words,
                       std::chrono::milliseconds answer_limit, std::chrono::milliseconds limit);

/// Whether an agent answers. Never throws QmpError.
bool agent_answers(const std::string& path, std::chrono::milliseconds limit);

}  // namespace tapgate
