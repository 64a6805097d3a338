// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/qmp_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/base/unix_socket.h"

namespace tapgate {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using Kind = QmpError::Kind;

// How many bytes of QEMU's words a message shows.
constexpr size_t longest_words = 1024;

// Milliseconds until `deadline` for poll(), rounded up so that it does not spin at the end.
int left_until(std::chrono::steady_clock::time_point deadline) {
    const auto left =
        std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 1 << 30));
}

// How deeply the brackets of `text` nest, up to the first place where it is not JSON. Checked
// before it is parsed, since copying and printing a JSON value recurse.
size_t depth_of(std::string_view text) {
    size_t depth = 0;
    size_t deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

// Throws `what`, followed by the beginning of the text that it is about.
[[noreturn]] void refuse(const std::string& what, std::string_view text) {
    throw std::invalid_argument(what + ": " + terminal_text(text, 60));
}

json parse_message(std::string_view line) {
    if (depth_of(line) > max_qmp_depth)
        refuse("a message that is nested over " + std::to_string(max_qmp_depth) + " deep", line);
    // Without exceptions, since theirs would quote the text raw.
    json message = json::parse(line, nullptr, false);
    if (message.is_discarded())
        refuse("a line that is not JSON", line);
    if (!message.is_object())
        refuse("a message that is not an object", line);
    return message;
}

// Like send(), and passes `fd` with the first byte unless it is -1.
ssize_t send_some(int socket, std::string_view text, int fd) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): sendmsg does not write there
    iovec bytes{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
    if (fd >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// The string at `key` of `object`, fit for a terminal; empty when there is none.
std::string text_at(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string())
        return {};
    return terminal_text(found->get_ref<const std::string&>(), longest_words);
}

// Whether the message is as next_event() promises: "event" is a string, "data" an object if any.
bool is_event(const json& message) {
    const auto data = message.find("data");
    return message["event"].is_string() && (data == message.end() || data->is_object());
}

// The refusal in a message with "error", whatever that contains.
QmpAnswer refusal_in(const json& error) {
    QmpAnswer answer;
    if (error.is_object()) {
        answer.error_class = text_at(error, "class");
        answer.error = text_at(error, "desc");
    }
    if (answer.error_class.empty())
        answer.error_class = "GenericError";
    if (answer.error.empty())
        answer.error = "no reason given";
    return answer;
}

}  // namespace

// --- Messages

void QmpStream::append(std::string_view bytes) {
    // At most once for each append, and no more than is then kept: so it never copies more than it
    // reads.
    if (begin_ > 0 && begin_ >= bytes_.size() / 2) {
        bytes_.erase(0, begin_);
        searched_ -= begin_;
        begin_ = 0;
    }
    bytes_.append(bytes);
}

std::optional<json> QmpStream::next() {
    for (;;) {
        const size_t end = bytes_.find('\n', searched_);
        if (end == std::string::npos) {
            searched_ = bytes_.size();
            if (size() > max_qmp_message)
                refuse("a message of over " + std::to_string(max_qmp_message) + " bytes",
                       std::string_view(bytes_).substr(begin_));
            return std::nullopt;
        }
        const std::string_view line = std::string_view(bytes_).substr(begin_, end - begin_);
        begin_ = searched_ = end + 1;
        if (line.size() > max_qmp_message)
            refuse("a message of over " + std::to_string(max_qmp_message) + " bytes", line);
        if (line.find_first_not_of(" \t\r") != std::string_view::npos)
            return std::make_optional<json>(parse_message(line));
    }
}

// --- The connection

UniqueFd connect_to_qemu(const std::string& path, std::chrono::steady_clock::time_point deadline) {
    const std::string what = "cannot connect to " + terminal_text(path) + ": ";
    const auto address = unix_address(path);
    if (!address)
        throw QmpError(Kind::unreachable, what + "a socket's path has 1 to " +
                                              std::to_string(longest_socket_path) +
                                              " bytes, this one " + std::to_string(path.size()));
    // Non-blocking: if QEMU does not accept, connect() would wait forever.
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        throw std::system_error(errno, std::generic_category(), "socket");
    while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) !=
           0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            throw QmpError(
                Kind::unreachable,
                what + errno_text(errno) +
                    (errno == ECONNREFUSED || errno == ENOENT ? "; QEMU is not running" : ""));
        // The queue of connections is full, and poll() cannot tell when there is room.
        if (left_until(deadline) == 0)
            throw QmpError(Kind::too_slow, what + "others are waiting there already");
        std::this_thread::sleep_for(milliseconds(10));
    }
    return fd;
}

QmpClient QmpClient::connect(const std::string& path, Milliseconds limit) {
    return {connect_to_qemu(path, Clock::now() + limit), path, limit};
}

QmpClient::QmpClient(UniqueFd socket, const std::string& name, Milliseconds limit)
    : socket_(std::move(socket)), name_(terminal_text(name)) {
    const auto deadline = Clock::now() + limit;
    std::optional<json> message = receive(deadline);
    if (!message)
        fail(Kind::too_slow, "no greeting within " + std::to_string(limit.count()) +
                                 " ms: another client may be connected to it");
    const auto greeting = message->find("QMP");
    if (greeting == message->end() || !greeting->is_object())
        fail(Kind::broken, "it does not greet as QEMU does");
    greeting_ = std::move(*greeting);
    const QmpAnswer answer =
        execute("qmp_capabilities", nullptr, Milliseconds(left_until(deadline)));
    if (!answer.ok())
        fail(Kind::broken, "it refuses qmp_capabilities: " + answer.error);
}

QmpAnswer QmpClient::execute(const std::string& command, const json& arguments,
                             Milliseconds limit) {
    return execute_with_fd(command, arguments, -1, limit);
}

QmpAnswer QmpClient::execute_with_fd(const std::string& command, const json& arguments, int fd,
                                     Milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    require_usable();
    const std::string what = terminal_text(command, 80);
    json request{{"execute", command}, {"id", ++last_id_}};
    if (!arguments.is_null())
        request["arguments"] = arguments;
    std::string text;
    try {
        text = request.dump() + "\r\n";
    } catch (const json::exception&) {
        // Nothing was sent, so the connection is still good; but this text cannot become JSON.
        throw std::invalid_argument("QMP: an argument of " + what + " is not UTF-8");
    }
    send_all(text, fd, deadline, what);

    while (std::optional<json> message = receive(deadline)) {
        const auto id = message->find("id");
        const auto error = message->find("error");
        // QEMU answers without an id when it could not parse the command.
        const bool ours = id == message->end() ? error != message->end() : *id == last_id_;
        if (!ours) {
            // An answer to a command that was too slow, or to none. More could come forever.
            if (left_until(deadline) == 0)
                break;
            continue;
        }
        if (error != message->end())
            return refusal_in(*error);
        const auto value = message->find("return");
        if (value == message->end())
            fail(Kind::broken, "an answer to " + what + " that is neither return nor error");
        return {std::move(*value), {}, {}};
    }
    fail(Kind::too_slow,
         "no answer to " + what + " within " + std::to_string(limit.count()) + " ms");
}

std::optional<json> QmpClient::next_event(Milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    if (events_.empty())
        require_usable();
    for (bool last = false; events_.empty(); last = left_until(deadline) == 0) {
        // Answers that come now are to commands that were too slow.
        while (next_message()) {
        }
        if (!events_.empty())
            break;
        if (last || !wait_for(POLLIN, deadline))
            return std::nullopt;
        if (!read_some())
            fail_closed();
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    events_size_ -= event.size;
    return std::make_optional<json>(std::move(event.value));
}

void QmpClient::fail(Kind kind, const std::string& why) {
    const std::string text = "QMP at " + name_ + ": " + why;
    if (kind == Kind::broken)
        broken_ = text;
    throw QmpError(kind, text);
}

void QmpClient::fail_closed() {
    fail(Kind::closed, "QEMU closed the connection; it has ended, or has another client");
}

void QmpClient::require_usable() const {
    if (!broken_.empty())
        throw QmpError(Kind::broken, broken_);
}

// Sends all of `text`, and `fd` with its first byte unless it is -1. Reads at the same time: a QEMU
// that waits for us to read does not read itself.
void QmpClient::send_all(std::string_view text, int fd, Clock::time_point deadline,
                         const std::string& what) {
    while (!text.empty()) {
        const ssize_t sent = send_some(socket_.get(), text, fd);
        if (sent >= 0) {
            fd = sent > 0 ? -1 : fd;
            text.remove_prefix(static_cast<size_t>(sent));
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            // Events that came before its end are worth having.
            while (left_until(deadline) > 0 &&
                   (next_message() || (wait_for(POLLIN, Clock::now()) && read_some()))) {
            }
            fail_closed();
        }
        const bool room = stream_.size() < max_qmp_message;
        if (!wait_for(room ? POLLIN | POLLOUT : POLLOUT, deadline)) {
            // Perhaps half a command was sent, and the next would become its other half.
            fail(Kind::broken, "QEMU does not read the command " + what);
        }
        if (room && wait_for(POLLIN, Clock::now()) && !read_some())
            fail_closed();
    }
}

// The next message that is not an event; nothing at the deadline.
std::optional<json> QmpClient::receive(Clock::time_point deadline) {
    // The limit holds even if there is something to read all the time.
    for (bool last = false;; last = left_until(deadline) == 0) {
        if (std::optional<json> message = next_message())
            return message;
        if (last || !wait_for(POLLIN, deadline))
            return std::nullopt;
        if (!read_some())
            fail_closed();
    }
}

// The next complete message in what was read that is not an event. Events are kept.
std::optional<json> QmpClient::next_message() {
    require_usable();
    try {
        for (;;) {
            const size_t before = stream_.size();
            std::optional<json> message = stream_.next();
            if (!message || !message->contains("event"))
                return message;
            if (!is_event(*message))
                throw std::invalid_argument("an event that is none");
            keep_event(std::move(*message), before - stream_.size());
        }
    } catch (const std::invalid_argument& error) {
        fail(Kind::broken, error.what());
    }
}

// Reads once if there is something to read. False when there will never be more.
bool QmpClient::read_some() {
    std::array<char, 65536> buffer{};
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return false;
    stream_.append(std::string_view(buffer.data(), static_cast<size_t>(got)));
    return true;
}

// Waits for one of `events`; the end of the connection counts. False when none came by the
// deadline.
bool QmpClient::wait_for(short events, Clock::time_point deadline) {
    for (;;) {
        pollfd fd{socket_.get(), events, 0};
        const int left = left_until(deadline);
        const int ready = poll(&fd, 1, left);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "QMP: poll");
        if (left == 0)
            return false;
    }
}

void QmpClient::keep_event(json event, size_t size) {
    events_.push_back({std::move(event), size});
    events_size_ += size;
    // Drop the oldest, since the newest tell how it ended.
    while (events_.size() > max_qmp_events || events_size_ > max_qmp_message) {
        events_size_ -= events_.front().size;
        events_.pop_front();
        lost_events_++;
    }
}

}  // namespace tapgate
