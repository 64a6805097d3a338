// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest's serial console on the user's terminal.
#pragma once

#include <poll.h>
#include <termios.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/unique_fd.h"

namespace tapgate {

/// The key that leaves a console, as telnet's: Ctrl-].
constexpr char leave_key = 0x1d;

/// What was typed, taken apart.
struct Typed {
    std::string text;     ///< for the guest: what is before the first leave_key
    unsigned leaves = 0;  ///< how often leave_key was pressed
};
Typed take_apart(std::string_view typed);

/// The terminal `fd` in raw mode, each key going to the guest at once, until this goes out of
/// scope. Nothing happens when `fd` is not a terminal, or one that this process is in the
/// background of.
class RawTerminal {
  public:
    explicit RawTerminal(int fd);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    [[nodiscard]] bool active() const { return before_.has_value(); }

  private:
    int fd_;
    std::optional<termios> before_;
};

/// What to read for the guest: stdin; -1 when that is a terminal that this process is in the
/// background of, which would stop it.
int console_input();

/// Carries bytes between a console's socket and two descriptors (stdin, stdout), which stay the
/// caller's, never waiting for either.
class Console {
  public:
    static constexpr size_t polls = 3;
    using Polls = std::array<pollfd, polls>;

    /// `in`: -1 for nothing to type.
    Console(UniqueFd socket, int in, int out);

    /// What to poll for.
    [[nodiscard]] Polls wanted() const;

    /// Does what `ready`, a polled wanted(), allows. Returns how often leave_key was pressed.
    unsigned carry(const Polls& ready);

    /// Writes what the guest has said so far, for at most half a second.
    void drain();

    /// Whether what is typed has come to its end, as a file or a pipe does.
    [[nodiscard]] bool typed_all() const { return in_ < 0 && to_guest_.empty(); }

    /// False: the guest's end is closed.
    [[nodiscard]] bool open() const { return static_cast<bool>(socket_); }

  private:
    unsigned read_typed();
    void read_guest();
    void write_guest();
    void write_user();

    UniqueFd socket_;
    int in_;
    int out_;
    std::string to_guest_;
    std::string to_user_;
    bool typing_ = true;  // false: nothing goes to the guest any more; leave_key is still seen
};

}  // namespace tapgate
