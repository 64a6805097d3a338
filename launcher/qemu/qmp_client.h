// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's machine protocol, QMP: one JSON value a line in both directions; a greeting, then commands
// with their answers, and events in between. (docs/interop/qmp-spec in QEMU's sources.)
//
// QEMU is the user's own process, but a guest may have broken into it: what it sends is not trusted
// to be QMP, to be short, or to come at all.
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

/// The longest message that is taken, in bytes. The longest known is the answer to
/// query-qmp-schema, 203 KiB in QEMU 7.2. Parsed, a hostile message takes up to some 30 times its
/// size in memory, which with this limit is 128 MiB.
constexpr size_t max_qmp_message = size_t{4} << 20;

/// The deepest nesting of arrays and objects that is taken. Real answers nest less than 20 deep,
/// and one deeper with each backing file of an image.
constexpr size_t max_qmp_depth = 256;

/// Events that nobody took yet: beyond so many, or so many bytes of them, the oldest go.
constexpr size_t max_qmp_events = 1024;

/// QMP does not work (any more): what() is the whole text for the user. An error that QEMU answers
/// a command with is a QmpAnswer instead.
class QmpError : public std::runtime_error {
  public:
    enum class Kind {
        unreachable,  ///< nothing listens at that socket
        closed,       ///< QEMU closed the connection: most often it ended
        too_slow,     ///< nothing came within the time limit; the connection can still be used
        broken,       ///< what came is not QMP, or too long; the connection cannot be used any more
    };

    QmpError(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
    [[nodiscard]] Kind kind() const { return kind_; }

  private:
    Kind kind_;
};

/// What QEMU answers to a command.
// (Moving a json value asserts its own invariant, which clang-tidy takes for a throw.)
// NOLINTNEXTLINE(bugprone-exception-escape)
struct QmpAnswer {
    nlohmann::json value;     ///< what it returned; null when it refused
    std::string error_class;  ///< as in "CommandNotFound"; empty when it did not refuse
    std::string error;        ///< QEMU's own words, fit for a terminal

    [[nodiscard]] bool ok() const { return error_class.empty(); }
};

/// Makes messages of a stream of bytes.
class QmpStream {
  public:
    /// Takes what came. May be called with any piece of a message.
    void append(std::string_view bytes);

    /// The next whole message, a JSON object; nothing until more is appended. Throws
    /// std::invalid_argument, with a text that begins with what is wrong, when what came is not
    /// JSON, not an object, or beyond max_qmp_message or max_qmp_depth.
    std::optional<nlohmann::json> next();

    /// The bytes that next() has not used.
    [[nodiscard]] size_t size() const { return bytes_.size() - begin_; }

  private:
    std::string bytes_;
    size_t begin_ = 0;     // of what next() has not used
    size_t searched_ = 0;  // no newline between begin_ and here
};

/// Connects to the UNIX stream socket `path` of QEMU's, QMP's or another. The descriptor is
/// close-on-exec and not blocking. Throws QmpError (unreachable, or too_slow at `deadline`).
UniqueFd connect_to_qemu(const std::string& path, std::chrono::steady_clock::time_point deadline);

/// One connection to one QEMU. Not for several threads at once.
class QmpClient {
  public:
    using Milliseconds = std::chrono::milliseconds;

    /// How long QEMU may take for what it normally does at once.
    static constexpr Milliseconds time_limit{5000};

    /// Connects to QEMU's socket `path` and shakes hands, each within `limit`. QEMU talks with one
    /// client at a time: while another one is connected, this is too_slow. Throws QmpError.
    static QmpClient connect(const std::string& path, Milliseconds limit = time_limit);

    /// Shakes hands over the connected stream socket `socket`, which is the client's from now on.
    /// `name` stands for it in messages. Throws QmpError.
    QmpClient(UniqueFd socket, const std::string& name, Milliseconds limit = time_limit);

    /// Runs `command` with `arguments` (an object, or null for none) and returns its answer. Events
    /// that come meanwhile are kept. Throws QmpError; after too_slow the command may still take
    /// effect, and its answer is dropped when it comes.
    QmpAnswer execute(const std::string& command, const nlohmann::json& arguments = nullptr,
                      Milliseconds limit = time_limit);

    /// The same, with `fd` beside the command (as `getfd` wants it); it stays the caller's.
    QmpAnswer execute_with_fd(const std::string& command, const nlohmann::json& arguments, int fd,
                              Milliseconds limit = time_limit);

    /// The oldest event that was not taken yet, whole ({"event": "STOP", "timestamp": ...}),
    /// waiting for one up to `limit`; nothing when none came. Its "event" is a string; "data", if
    /// it has any, an object; nothing else is sure. With a limit of 0 only what is there already:
    /// do so until there is nothing before polling fd(). Throws QmpError (not too_slow), closed
    /// only when every event was taken.
    std::optional<nlohmann::json> next_event(Milliseconds limit);

    /// How many events went since nobody took them.
    [[nodiscard]] std::uint64_t lost_events() const { return lost_events_; }

    /// QEMU's greeting, what is in its "QMP": "version", "capabilities".
    [[nodiscard]] const nlohmann::json& greeting() const { return greeting_; }

    /// The socket, still the client's, for poll().
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
    std::string broken_;  // why it is; empty: it is not
};

}  // namespace tapgate
