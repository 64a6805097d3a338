// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/agent_connection.h"

#include <nettle/base64.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "launcher/base/child_process.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Kind = QmpError::Kind;

// Precedes the answer to guest-sync-delimited; it cannot occur in JSON.
constexpr char delimiter = '\xff';

// The agent's error, as a part of a line.
std::string why_in(const json& answer) {
    const auto error = answer.find("error");
    const auto text =
        error != answer.end() && error->is_object() ? error->find("desc") : answer.end();
    return error != answer.end() && error->is_object() && text != error->end() && text->is_string()
               ? ": " + shown(text->get<std::string>())
               : "";
}

}  // namespace

AgentConnection::AgentConnection(const std::string& path, Clock::time_point deadline)
    : socket_(connect_to_qemu(path, deadline)), deadline_(deadline) {
    const auto id = Clock::now().time_since_epoch().count() & 0x7fffffff;
    send(delimiter + json{{"execute", "guest-sync-delimited"}, {"arguments", {{"id", id}}}}.dump());
    json answer;
    do {
        answer = receive();
    } while (answer.value("return", json()) != id);
}

json AgentConnection::execute(const std::string& command, const json& arguments) {
    json message = {{"execute", command}};
    if (!arguments.is_null())
        message["arguments"] = arguments;
    send(message.dump(-1, ' ', false, json::error_handler_t::replace));
    json answer = receive();
    if (!answer.contains("return"))
        throw QmpError(Kind::broken, "the guest agent refuses " + command + why_in(answer));
    return std::move(answer["return"]);
}

void AgentConnection::send(std::string text) {
    text += "\n";
    std::string_view left = text;
    while (!left.empty()) {
        const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            left.remove_prefix(static_cast<size_t>(sent));
            continue;
        }
        if (sent < 0 && errno == EINTR)
            continue;
        // The guest may not read.
        pollfd fd{socket_.get(), POLLOUT, 0};
        const int limit = milliseconds_until(deadline_);
        if (sent == 0 || errno != EAGAIN || limit <= 0 || poll(&fd, 1, limit) == 0)
            throw QmpError(Kind::closed, "the guest agent's channel takes nothing");
    }
}

json AgentConnection::receive() {
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

void AgentConnection::read_some() {
    pollfd fd{socket_.get(), POLLIN, 0};
    // The limit holds even if there is something to read all the time.
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

std::string agent_bytes(std::string_view text) {
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

std::string agent_text(std::string_view bytes) {
    std::string text(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
    base64_encode_raw(text.data(), bytes.size(),
                      reinterpret_cast<const std::uint8_t*>(bytes.data()));
    return text;
}

}  // namespace tapgate
