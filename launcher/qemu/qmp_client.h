// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's machine protocol, QMP: one JSON value on each line in both directions; first a greeting,
// then commands with their answers, and events in between (docs/interop/qmp-spec in QEMU's
// sources).
//
// QEMU is the user's own process, but a guest may have broken into it. So what it sends is not
// trusted to be QMP, to be short, or to come at all.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/unique_fd.h"

namespace tapgate {

/// The longest message that is accepted, in bytes. The longest known is the answer to
/// query-qmp-schema, 203 KiB in QEMU 7.2. Parsing a hostile message may take some 30 times its
/// size, which is 128 MiB with this limit.
constexpr size_t max_qmp_message = size_t{4} << 20;

/// The deepest nesting of arrays and objects that is accepted. Real answers nest less than 20 deep,
/// plus one level for each backing file of an image.
constexpr size_t max_qmp_depth = 256;

/// How many events, and how many bytes of them, are kept until somebody takes them; then the oldest
/// are dropped.
constexpr size_t max_qmp_events = 1024;

/// QMP does not work, or no longer: what() is the whole text for the user. (When QEMU answers a
/// command with an error, that is a QmpAnswer.)
class QmpError : public std::runtime_error {
  public:
    enum class Kind {
        unreachable,  ///< nobody listens at that socket
        closed,       ///< QEMU closed the connection, usually because it ended
        too_slow,     ///< nothing came within the time limit; the connection can still be used
        broken,       ///< what came is too long or not QMP; the connection can no longer be used
    };

    QmpError(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
    [[nodiscard]] Kind kind() const { return kind_; }

  private:
    Kind kind_;
};

/// QEMU's answer to a command.
// (Moving a json value asserts its own invariant, which clang-tidy takes for a throw.)
// NOLINTNEXTLINE(bugprone-exception-escape)
struct QmpAnswer {
    nlohmann::json value;     ///< what the command returned; null when it was refused
    std::string error_class;  ///< as in "CommandNotFound"; empty when it was not refused
    std::string error;        ///< QEMU's own words, fit for a terminal

    [[nodiscard]] bool ok() const { return error_class.empty(); }
};

/// Splits a stream of bytes into messages.
class QmpStream {
  public:
    /// Takes any piece of the stream.
    void append(std::string_view bytes);

    /// The next complete message, a JSON object; nothing until more is appended. Throws
    /// std::invalid_argument, whose text begins with what is wrong, when what came is not JSON, not
    /// an object, or exceeds max_qmp_message or max_qmp_depth.
    std::optional<nlohmann::json> next();

    /// The number of bytes that next() has not used yet.
    [[nodiscard]] size_t size() const { return bytes_.size() - begin_; }

  private:
    std::string bytes_;
    size_t begin_ = 0;     // where the bytes begin that next() has not used
    size_t searched_ = 0;  // no newline between begin_ and here
};

/// Connects to the UNIX stream socket `path` of QEMU's, QMP or another. The descriptor, which the
/// caller owns, is close-on-exec and non-blocking. Throws QmpError (unreachable, or too_slow at
/// `deadline`).
UniqueFd connect_to_qemu(const std::string& path, std::chrono::steady_clock::time_point deadline);

/// A connection to a QEMU. Not for use by several threads at once.
class QmpClient {
  public:
    using Milliseconds = std::chrono::milliseconds;

    /// How long QEMU may take for what it normally does immediately.
    static constexpr Milliseconds time_limit{5000};

    /// Connects to QEMU's socket `path` and shakes hands, each within `limit`. QEMU talks with one
    /// client at a time: while another one is connected, this is too_slow. Throws QmpError.
    static QmpClient connect(const std::string& path, Milliseconds limit = time_limit);

    /// Shakes hands over the connected stream socket `socket`, which it owns from now on. `name`
    /// stands for it in messages. Throws QmpError.
    QmpClient(UniqueFd socket, const std::string& name, Milliseconds limit = time_limit);

    /// Runs `command` with `arguments` (an object, or null for none) and returns its answer. Keeps
    /// events that come meanwhile. Throws QmpError; after too_slow, the command may still take
    /// effect, and its answer is discarded when it comes.
    QmpAnswer execute(const std::string& command, const nlohmann::json& arguments = nullptr,
                      Milliseconds limit = time_limit);

    /// The same, and passes `fd` with the command (for `getfd`); the caller goes on owning it.
    QmpAnswer execute_with_fd(const std::string& command, const nlohmann::json& arguments, int fd,
                              Milliseconds limit = time_limit);

    /// Takes the oldest event as a whole ({"event": "STOP", "timestamp": ...}), waiting up to
    /// `limit` for one; nothing when none came. Its "event" is a string and its "data", if any, an
    /// object; nothing else is certain. With a limit of 0 it does not wait: call it until it
    /// returns nothing before you poll fd(). Throws QmpError, but not too_slow, and closed only
    /// when all events have been taken.
    std::optional<nlohmann::json> next_event(Milliseconds limit);

    /// How many events were dropped because nobody took them.
    [[nodiscard]] std::uint64_t lost_events() const { return lost_events_; }

    /// What QEMU's greeting has in its "QMP": "version", "capabilities".
    [[nodiscard]] const nlohmann::json& greeting() const { return greeting_; }

    /// The socket, for poll(); still owned here.
    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    using Clock = std::chrono::steady_clock;
    struct Event {
        nlohmann::json value;
        size_t size;
    };

    [[noreturn]] void fail(QmpError::Kind kind, const std::string& why);
    [[noreturn]] void fail_closed();
    void require_usable() const;
    void send_all(std::string_view text, int fd, Clock::time_point deadline,
                  const std::string& what);
    std::optional<nlohmann::json> receive(Clock::time_point deadline);
    std::optional<nlohmann::json> next_message();
    bool read_some();
    bool wait_for(short events, Clock::time_point deadline);
    void keep_event(nlohmann::json event, size_t size);

    UniqueFd socket_;
    std::string name_;
    QmpStream stream_;
    nlohmann::json greeting_;
    std::deque<Event> events_;
    size_t events_size_ = 0;
    std::uint64_t lost_events_ = 0;
    std::uint64_t last_id_ = 0;
    std::string broken_;  // why the connection is broken; empty when it is not
};

}  // namespace tapgate
