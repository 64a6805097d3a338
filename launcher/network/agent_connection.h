// SPDX-License-Identifier: GPL-2.0-or-later
//
// A conversation with a guest's agent. The guest answers, so nothing that comes is trusted.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

class AgentConnection {
  public:
    using Clock = std::chrono::steady_clock;

    /// Connects, and skips what the agent still has to say to an earlier client. Throws QmpError,
    /// as everything here does; too_slow at `deadline`.
    AgentConnection(const std::string& path, Clock::time_point deadline);

    /// Runs the command and returns its result.
    nlohmann::json execute(const std::string& command, const nlohmann::json& arguments = nullptr);

    /// Sets a later deadline for what comes next.
    void extend(Clock::time_point deadline) { deadline_ = deadline; }

  private:
    void send(std::string text);
    nlohmann::json receive();
    void read_some();

    UniqueFd socket_;
    Clock::time_point deadline_;
    QmpStream stream_;
    bool synchronized_ = false;
};

/// Decodes base64 that the agent has sent. Throws QmpError when it is malformed.
std::string agent_bytes(std::string_view text);

/// Encodes bytes in base64 for the agent.
std::string agent_text(std::string_view bytes);

}  // namespace tapgate
