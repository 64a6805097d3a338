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

/// The key that leaves a console: Ctrl-], as in telnet.
constexpr char leave_key = 0x1d;

/// What was typed, split into text and leave keys.
struct Typed {
    std::string text;     ///< for the guest: what comes before the first leave_key
    unsigned leaves = 0;  ///< how many times leave_key was pressed
};
Typed take_apart(std::string_view typed);

/// Puts the terminal `fd` into raw mode, so that each key goes to the guest at once, until this
/// goes out of scope. Does nothing when `fd` is not a terminal, or when this process is in its
/// background.
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

/// Where to read what the user types: stdin; -1 when that is a terminal and this process is in its
/// background, since reading would stop it.
int console_input();

/// Carries bytes between a console's socket, which it owns, and two descriptors (stdin and stdout)
/// that stay the caller's. Never blocks on either.
class Console {
  public:
    static constexpr size_t polls = 3;
    using Polls = std::array<pollfd, polls>;

    /// `in` is -1 when nothing can be typed.
    Console(UniqueFd socket, int in, int out);

    /// What to poll for.
    [[nodiscard]] Polls wanted() const;

    /// Does what `ready`, the polled wanted(), allows. Returns how often leave_key was pressed.
    unsigned carry(const Polls& ready);

    /// Writes what the guest has said so far, for at most half a second.
    void drain();

    /// Whether the input has ended, as that of a file or a pipe does.
    [[nodiscard]] bool typed_all() const { return in_ < 0 && to_guest_.empty(); }

    /// False when the guest's end is closed.
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
    bool typing_ = true;  // false: nothing goes to the guest any more, but leave_key still counts
};

}  // namespace tapgate
