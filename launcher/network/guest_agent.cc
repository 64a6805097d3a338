// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/guest_agent.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/text.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Kind = QmpError::Kind;

// Stands before the answer to guest-sync-delimited and can be nowhere in JSON.
constexpr char delimiter = '\xff';

// More than any guest has, and fewer than would flood a terminal.
constexpr size_t most_interfaces = 64;
constexpr size_t most_addresses = 64;

class AgentConnection {
  public:
    // What the agent still has to say to whoever was connected before is skipped.
    AgentConnection(const std::string& path, Clock::time_point deadline)
        : socket_(connect_to_qemu(path, deadline)), deadline_(deadline) {
        const auto id = Clock::now().time_since_epoch().count() & 0x7fffffff;
        send(delimiter +
             json{{"execute", "guest-sync-delimited"}, {"arguments", {{"id", id}}}}.dump());
        json answer;
        do {
            answer = receive();
        } while (answer.value("return", json()) != id);
    }

    json execute(const std::string& command) {
        send(json{{"execute", command}}.dump());
        json answer = receive();
        if (!answer.contains("return"))
            throw QmpError(Kind::broken, "the guest agent refuses " + command);
        return std::move(answer["return"]);
    }

  private:
    void send(std::string text) {
        text += "\n";
        // QEMU takes so little at once, or does not read at all.
        const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(text.size()))
            throw QmpError(Kind::closed, "the guest agent's channel takes nothing");
    }

    json receive() {
        try {
            for (;;) {
                if (synchronized_)
                    if (auto message = stream_.next())
                        return std::move(*message);
                read_some();
            }
        } catch (const std::invalid_argument& error) {
            throw QmpError(Kind::broken, std::string("the guest agent sends ") + error.what());
        }
    }

    void read_some() {
        pollfd fd{socket_.get(), POLLIN, 0};
        // Also with something to read all the time, the limit is the limit.
        const int left = milliseconds_until(deadline_);
        const int ready = left > 0 ? poll(&fd, 1, left) : 0;
        if (ready < 0 && errno == EINTR)
            return;
        if (ready <= 0)
            throw QmpError(Kind::too_slow, "no guest agent answers");
        std::array<char, 16384> buffer{};
        const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            throw QmpError(Kind::closed, "the guest agent's channel was closed");
        std::string_view bytes(buffer.data(), static_cast<size_t>(got));
        if (const size_t last = bytes.rfind(delimiter); last != std::string_view::npos) {
            stream_ = QmpStream();
            synchronized_ = true;
            bytes.remove_prefix(last + 1);
        }
        if (synchronized_)
            stream_.append(bytes);
    }

    UniqueFd socket_;
    Clock::time_point deadline_;
    QmpStream stream_;
    bool synchronized_ = false;
};

std::string text_at(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The address as everybody writes it; empty when it is none, or means the guest itself.
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

bool agent_answers(const std::string& path, std::chrono::milliseconds limit) {
    try {
        const AgentConnection agent(path, Clock::now() + limit);
        return true;
    } catch (const QmpError&) {
        return false;
    }
}

}  // namespace tapgate
