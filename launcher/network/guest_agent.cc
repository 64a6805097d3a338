// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/guest_agent.h"

#include <arpa/inet.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "launcher/base/stop_signals.h"
#include "launcher/network/agent_connection.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Kind = QmpError::Kind;
using std::chrono::milliseconds;

// More than any guest has, but too few to flood a terminal.
constexpr size_t most_interfaces = 64;
constexpr size_t most_addresses = 64;

std::string text_at(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The address in its usual form; empty when it is malformed, or means the guest itself.
std::string normal_address(const std::string& text) {
    std::array<char, INET6_ADDRSTRLEN> normal{};
    for (const int family : {AF_INET, AF_INET6}) {
        std::array<unsigned char, sizeof(in6_addr)> bytes{};
        if (inet_pton(family, text.c_str(), bytes.data()) == 1)
            inet_ntop(family, bytes.data(), normal.data(), normal.size());
    }
    const std::string address = normal.data();
    return address.starts_with("127.") || address == "::1" ? "" : address;
}

AgentInterface interface_in(const json& value) {
    AgentInterface result;
    result.mac = MacAddress::parse(text_at(value, "hardware-address"));
    const auto addresses = value.is_object() ? value.find("ip-addresses") : value.end();
    if (addresses == value.end() || !addresses->is_array())
        return result;
    for (const json& one : *addresses) {
        std::string address = normal_address(text_at(one, "ip-address"));
        if (!address.empty() && result.addresses.size() < most_addresses)
            result.addresses.push_back(std::move(address));
    }
    return result;
}

AgentResult result_in(const json& status) {
    constexpr int of_signals = 128;
    const auto number = [&](const char* key) {
        const auto found = status.find(key);
        return found != status.end() && found->is_number_integer() ? found->get<int>() : 0;
    };
    const auto is_true = [&](const char* key) {
        const auto found = status.find(key);
        return found != status.end() && found->is_boolean() && found->get<bool>();
    };
    const int signal = number("signal");
    return {.exit_code = signal != 0 ? of_signals + (signal & 0x7f) : number("exitcode") & 0xff,
            .output = agent_bytes(text_at(status, "out-data")),
            .errors = agent_bytes(text_at(status, "err-data")),
            .cut = is_true("out-truncated") || is_true("err-truncated")};
}

// Asks the guest to end a process of the agent's. Where it cannot, as Windows without an sh, the
// process goes on.
void end_in_guest(AgentConnection& agent, int64_t pid) {
    try {
        agent.execute("guest-exec",
                      {{"path", "sh"}, {"arg", {"-c", "kill " + std::to_string(pid)}}});
    } catch (const QmpError& error) {
        if (error.kind() != Kind::broken)  // refused
            throw;
    }
}

}  // namespace

std::vector<AgentInterface> agent_interfaces(const std::string& path,
                                             std::chrono::milliseconds limit) {
    AgentConnection agent(path, Clock::now() + limit);
    const json answer = agent.execute("guest-network-get-interfaces");
    std::vector<AgentInterface> interfaces;
    if (!answer.is_array())
        throw QmpError(Kind::broken, "the guest agent does not list interfaces");
    for (const json& one : answer)
        if (interfaces.size() < most_interfaces)
            interfaces.push_back(interface_in(one));
    return interfaces;
}

AgentResult agent_exec(const std::string& path, const std::vector<std::string>& words,
                       milliseconds answer_limit, milliseconds limit) {
    auto deadline = Clock::now() + limit;
    const HeldSignals signals;
    std::string signal;
    AgentConnection agent(path, Clock::now() + answer_limit);
    const json started = agent.execute(
        "guest-exec", {{"path", words.at(0)},
                       {"arg", std::vector<std::string>(words.begin() + 1, words.end())},
                       {"capture-output", true}});
    const auto pid = started.is_object() ? started.find("pid") : started.end();
    if (!started.is_object() || pid == started.end() || !pid->is_number_integer())
        throw QmpError(Kind::broken, "the guest agent does not say what it has started");
    milliseconds pause(20);
    for (;;) {
        agent.extend(Clock::now() + answer_limit);
        const json status = agent.execute("guest-exec-status", {{"pid", *pid}});
        if (!status.is_object() || !status.value("exited", json(true)).is_boolean())
            throw QmpError(Kind::broken, "the guest agent does not say how the command is");
        if (status.value("exited", true)) {
            AgentResult result = result_in(status);
            if (!signal.empty())
                result.exit_code = static_cast<int>(code_of_signal(signal));
            return result;
        }
        if (Clock::now() > deadline)
            throw QmpError(Kind::too_slow, signal.empty()
                                               ? "the command has not ended in time, and goes on"
                                               : signal + ": the command goes on in the guest");
        pollfd stop{.fd = signals.fd(), .events = POLLIN, .revents = 0};
        poll(&stop, 1, static_cast<int>(pause.count()));
        pause = std::min(pause * 2, milliseconds(500));
        if (const std::string came = signals.take(); !came.empty()) {
            // A second one ends the patience.
            deadline = Clock::now() + (signal.empty() ? answer_limit : milliseconds(0));
            signal = came;
            end_in_guest(agent, pid->get<int64_t>());
            pause = milliseconds(20);
        }
    }
}

bool agent_answers(const std::string& path, std::chrono::milliseconds limit) {
    try {
        const AgentConnection agent(path, Clock::now() + limit);
        return true;
    } catch (const QmpError&) {
        return false;
    }
}

}  // namespace tapgate
