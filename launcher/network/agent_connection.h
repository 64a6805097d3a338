// SPDX-License-Identifier: GPL-2.0-or-later
//
// A conversation with a guest's agent. It is the guest that answers: nothing of it is trusted.
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

    /// What the agent still has to say to whoever was connected before is skipped. Throws QmpError,
    /// as all here; too_slow at `deadline`.
    AgentConnection(const std::string& path, Clock::time_point deadline);

    /// What the command returns.
    nlohmann::json execute(const std::string& command, const nlohmann::json& arguments = nullptr);

    /// What comes next may take until then.
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

/// What the agent sends in base64. Throws QmpError for what is none.
std::string agent_bytes(std::string_view text);

/// The same for what it is sent.
std::string agent_text(std::string_view bytes);

}  // namespace tapgate
