// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/console.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "launcher/base/child_process.h"

namespace tapgate {

namespace {

// A blocking descriptor that poll() calls writable takes at least this much: a pipe PIPE_BUF, a
// terminal hardly less.
constexpr size_t one_write = 512;

}  // namespace

Typed take_apart(std::string_view typed) {
    Typed result;
    result.text = typed.substr(0, typed.find(leave_key));
    result.leaves = static_cast<unsigned>(std::count(typed.begin(), typed.end(), leave_key));
    return result;
}

RawTerminal::RawTerminal(int fd) : fd_(fd) {
    termios now{};
    // In the background, changing the terminal would stop this process (SIGTTOU).
    if (tcgetattr(fd, &now) != 0 || tcgetpgrp(fd) != getpgrp())
        return;
    termios raw = now;
    cfmakeraw(&raw);
    // Keep output processing, so that our own lines begin at the left; the guest's have \r anyway.
    raw.c_oflag = now.c_oflag;
    if (tcsetattr(fd, TCSADRAIN, &raw) == 0)
        before_ = now;
}

RawTerminal::~RawTerminal() {
    if (before_)
        tcsetattr(fd_, TCSADRAIN, &*before_);
}

int console_input() {
    const bool background = isatty(STDIN_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) != getpgrp();
    return background ? -1 : STDIN_FILENO;
}

Console::Console(UniqueFd socket, int in, int out)
    : socket_(std::move(socket)), in_(in), out_(out) {}

Console::Polls Console::wanted() const {
    const bool user_waits = !to_user_.empty();
    short socket_events = 0;
    if (!user_waits)
        socket_events |= POLLIN;
    if (!to_guest_.empty())
        socket_events |= POLLOUT;
    return {pollfd{socket_events != 0 ? socket_.get() : -1, socket_events, 0},
            pollfd{to_guest_.empty() ? in_ : -1, POLLIN, 0},
            pollfd{user_waits ? out_ : -1, POLLOUT, 0}};
}

unsigned Console::carry(const Polls& ready) {
    if ((ready[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        read_guest();
    if ((ready[0].revents & POLLOUT) != 0)
        write_guest();
    if (ready[2].revents != 0)
        write_user();
    return ready[1].revents != 0 ? read_typed() : 0;
}

unsigned Console::read_typed() {
    std::array<char, 4096> buffer{};
    const ssize_t got = read(in_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0) {
        in_ = -1;
        return 0;
    }
    Typed typed = take_apart({buffer.data(), static_cast<size_t>(got)});
    if (typing_ && socket_) {
        to_guest_ = std::move(typed.text);
        write_guest();
    }
    if (typed.leaves > 0)
        typing_ = false;
    return typed.leaves;
}

void Console::read_guest() {
    std::array<char, one_write> buffer{};
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        socket_.reset();
        to_guest_.clear();
        return;
    }
    // Nobody reads the output any more. The guest goes on all the same.
    if (out_ >= 0)
        to_user_.assign(buffer.data(), static_cast<size_t>(got));
}

void Console::write_guest() {
    const ssize_t sent =
        send(socket_.get(), to_guest_.data(), to_guest_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        to_guest_.erase(0, static_cast<size_t>(sent));
    else if (errno != EAGAIN && errno != EINTR)
        to_guest_.clear();
}

void Console::write_user() {
    const ssize_t written = write(out_, to_user_.data(), to_user_.size());
    if (written >= 0) {
        to_user_.erase(0, static_cast<size_t>(written));
    } else if (errno != EAGAIN && errno != EINTR) {
        to_user_.clear();
        out_ = -1;
    }
}

void Console::drain() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (open() || !to_user_.empty()) {
        Polls fds = wanted();
        fds[1].fd = -1;
        const int left = milliseconds_until(deadline);
        if (left == 0 || poll(fds.data(), fds.size(), left) <= 0)
            break;
        carry(fds);
    }
}

}  // namespace tapgate
