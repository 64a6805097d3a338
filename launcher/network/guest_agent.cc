// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/guest_agent.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <nettle/base64.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/text.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Kind = QmpError::Kind;
using std::chrono::milliseconds;

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

    json execute(const std::string& command, const json& arguments = nullptr) {
        json message = {{"execute", command}};
        if (!arguments.is_null())
            message["arguments"] = arguments;
        send(message.dump(-1, ' ', false, json::error_handler_t::replace));
        json answer = receive();
        if (!answer.contains("return"))
            throw QmpError(Kind::broken, "the guest agent refuses " + command + why_in(answer));
        return std::move(answer["return"]);
    }

    // What comes next may take until then.
    void extend(Clock::time_point deadline) { deadline_ = deadline; }

  private:
    // Its words, as part of a line.
    static std::string why_in(const json& answer) {
        const auto error = answer.find("error");
        const auto text =
            error != answer.end() && error->is_object() ? error->find("desc") : answer.end();
        return error != answer.end() && error->is_object() && text != error->end() &&
                       text->is_string()
                   ? ": " + shown(text->get<std::string>())
                   : "";
    }

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

// What the agent sends in base64.
std::string decoded(const std::string& text) {
    base64_decode_ctx context{};
    base64_decode_init(&context);
    std::string bytes(BASE64_DECODE_LENGTH(text.size()), '\0');
    size_t length = bytes.size();
    if (base64_decode_update(&context, &length, reinterpret_cast<std::uint8_t*>(bytes.data()),
                             text.size(), text.data()) != 1 ||
        base64_decode_final(&context) != 1)
        throw QmpError(Kind::broken, "the guest agent sends what is no base64");
    bytes.resize(length);
    return bytes;
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
            .output = decoded(text_at(status, "out-data")),
            .errors = decoded(text_at(status, "err-data")),
            .cut = is_true("out-truncated") || is_true("err-truncated")};
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
    const auto deadline = Clock::now() + limit;
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
        if (status.value("exited", true))
            return result_in(status);
        if (Clock::now() > deadline)
            throw QmpError(Kind::too_slow, "the command has not ended in time, and goes on");
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, milliseconds(500));
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
