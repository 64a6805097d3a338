// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/helper_client.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/fd_passing.h"
#include "launcher/base/child_process.h"
#include "launcher/base/receive_fds.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The number of the socket in the helper: the first after stdio.
constexpr int socket_number = STDERR_FILENO + 1;

// How many bytes of the helper's words are kept. An error in a policy, with its line and a caret,
// is less than 1 KiB.
constexpr size_t most_words = 4096;

// After SIGKILL: only a process that hangs in the kernel takes longer.
constexpr milliseconds death_limit{1000};

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::vector<std::string> words_of(const std::string& helper, const TapRequest& request) {
    std::vector<std::string> words{helper, "--br=" + request.bridge.str(),
                                   "--fd=" + std::to_string(socket_number)};
    if (request.vnet_header)
        words.emplace_back("--use-vnet");
    // Not --queues=1, so that QEMU's own helper works too when that is all that is needed.
    if (request.queues != 1)
        words.push_back("--queues=" + std::to_string(request.queues));
    if (request.mac)
        words.push_back("--mac=" + request.mac->str());
    if (request.vm)
        words.push_back("--vm=" + request.vm->str());
    return words;
}

// A run of the helper, with our ends of its socket and its stderr. When it goes out of scope, the
// helper is killed and reaped unless that has been done.
class HelperRun {
  public:
    HelperRun(std::string helper, TapRequest request);
    ~HelperRun() { stop(); }
    HelperRun(const HelperRun&) = delete;
    HelperRun& operator=(const HelperRun&) = delete;

    // Waits for it to end; returns the taps if all is well.
    std::vector<UniqueFd> finish(milliseconds limit);

  private:
    enum class Reply { none, taps, wrong };

    [[noreturn]] void fail(HelperError::Kind kind, const std::string& what) const;
    bool wait_for_end(Clock::time_point deadline);
    void read_words();
    void read_reply();
    void drain();
    int reap();
    bool stop();

    const std::string helper_;
    const TapRequest request_;
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    UniqueFd socket_;
    UniqueFd err_;
    std::string words_;
    Reply reply_ = Reply::none;
    std::vector<UniqueFd> taps_;
};

HelperRun::HelperRun(std::string helper, TapRequest request)
    : helper_(std::move(helper)), request_(std::move(request)) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
        throw_errno("cannot start the helper: socketpair");
    socket_.reset(ends[0]);
    const UniqueFd their_socket(ends[1]);
    Pipe err = make_pipe();
    err_ = std::move(err.reading);
    // The child's ends block, as QEMU's do: when its stderr is full, the helper waits for us.
    if (fcntl(their_socket.get(), F_SETFL, 0) != 0 || fcntl(err_.get(), F_SETFL, O_NONBLOCK) != 0)
        throw_errno("cannot start the helper: fcntl");
    // As with QEMU, stdin and stdout are /dev/null, and the helper stays in this session.
    const int error = spawn({.program = helper_,
                             .argv = words_of(helper_, request_),
                             .inherited = {their_socket.get()},
                             .errors = err.writing.get(),
                             .own_session = false},
                            pid_);
    if (error != 0) {
        pid_ = -1;
        fail(HelperError::Kind::not_started,
             "cannot start the helper " + terminal_text(helper_) + ": " + errno_text(error) +
                 (error == ENOENT ? "; is tapgate-helper installed there? tapgate doctor tells "
                                    "what else is missing"
                                  : ""));
    }
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    // ESRCH: it has ended, and is gone because SIGCHLD is ignored.
    if (!pidfd_ && errno != ESRCH) {
        const int reason = errno;
        kill(pid_, SIGKILL);
        reap();
        throw std::system_error(reason, std::generic_category(), "cannot watch the helper");
    }
}

void HelperRun::fail(HelperError::Kind kind, const std::string& what) const {
    const std::string words = terminal_text(words_, most_words);
    throw HelperError(kind, words.empty() ? what : what + ": " + words, words);
}

std::vector<UniqueFd> HelperRun::finish(milliseconds limit) {
    using Kind = HelperError::Kind;
    const std::string name = "the helper " + terminal_text(helper_);
    if (!wait_for_end(Clock::now() + limit)) {
        const pid_t pid = pid_;
        const bool gone = stop();
        drain();
        fail(Kind::too_slow, name + " did not end within " + std::to_string(limit.count()) +
                                 " ms and was killed" +
                                 (gone ? "" : ", in vain: pid " + std::to_string(pid)));
    }
    drain();
    const int status = reap();

    if (WIFSIGNALED(status)) {
        const char* signal = sigabbrev_np(WTERMSIG(status));
        fail(Kind::broken, name + " died by signal " + std::to_string(WTERMSIG(status)) +
                               (signal != nullptr ? std::string(" (SIG") + signal + ")" : ""));
    }
    if (WEXITSTATUS(status) != 0 && !words_.empty())
        fail(Kind::refused, "no tap on " + request_.bridge.str() + " from tapgate-helper");
    if (WEXITSTATUS(status) != 0)
        fail(Kind::broken, name + " ended with exit code " + std::to_string(WEXITSTATUS(status)) +
                               " and without a word");
    const std::string wanted = std::to_string(request_.queues) +
                               (request_.queues == 1 ? " descriptor" : " descriptors") +
                               " in one message";
    if (reply_ == Reply::none)
        fail(Kind::broken, name + " sent nothing, instead of " + wanted);
    // The kernel drops descriptors for which a process has no room, which looks like a wrong
    // message.
    if (reply_ == Reply::wrong || taps_.size() != request_.queues)
        fail(Kind::broken, name + " sent something else than " + wanted +
                               ", or this process may not open so many files (ulimit -n)");
    return std::move(taps_);
}

// Reads what comes until the helper has ended. False when it has not by `deadline`.
//
// What counts is its own end, and not the end of its socket or its stderr, which a child of it
// could keep open.
bool HelperRun::wait_for_end(Clock::time_point deadline) {
    while (pidfd_) {
        std::array<pollfd, 3> fds{pollfd{pidfd_.get(), POLLIN, 0}, pollfd{socket_.get(), POLLIN, 0},
                                  pollfd{err_.get(), POLLIN, 0}};
        const int left = milliseconds_until(deadline);
        const int ready = poll(fds.data(), fds.size(), left);
        if (ready < 0 && errno != EINTR)
            throw_errno("cannot wait for the helper");
        if (ready > 0 && fds[0].revents != 0)
            return true;
        // The limit holds even if everything is ready all the time.
        if (left == 0)
            return false;
        if (ready > 0 && fds[1].revents != 0)
            read_reply();
        if (ready > 0 && fds[2].revents != 0)
            read_words();
    }
    return true;
}

// Reads once. Closes our end when there is no more to come.
void HelperRun::read_words() {
    std::array<char, 65536> buffer{};
    const ssize_t got = read(err_.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        err_.reset();
        return;
    }
    // What exceeds the limit is read too, so that the helper can go on. One byte more than the
    // limit is kept, as a sign that something was cut.
    const size_t room = most_words + 1 - words_.size();
    words_.append(buffer.data(), std::min(static_cast<size_t>(got), room));
}

// Reads one message. Closes our end when it was wrong, or there is no more to come.
void HelperRun::read_reply() {
    try {
        std::vector<UniqueFd> fds = receive_fds(socket_.get(), request_.queues);
        if (fds.empty()) {
            socket_.reset();
        } else if (reply_ == Reply::none) {
            taps_ = std::move(fds);
            reply_ = Reply::taps;
        } else {
            reply_ = Reply::wrong;
            socket_.reset();
        }
    } catch (const std::system_error& error) {
        if (error.code().value() == EAGAIN)
            return;
        // ECONNRESET is not wrong: the helper closed its end without reading, and we sent nothing.
        if (error.code().value() != ECONNRESET)
            reply_ = Reply::wrong;
        socket_.reset();
    }
}

// Reads what is left in the pipe and the socket after the helper's end. Only a few reads, since
// somebody else may go on writing.
void HelperRun::drain() {
    for (int i = 0; i < 2; i++) {
        if (err_)
            read_words();
        if (socket_)
            read_reply();
    }
}

// The wait status of the helper, which has ended.
int HelperRun::reap() {
    int status = 0;
    pid_t reaped = -1;
    do {
        reaped = waitpid(pid_, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    pid_ = -1;
    // Where SIGCHLD is ignored, which a program inherits, the status is lost. The reply says as
    // much, since sending it is the last thing that the helper does.
    return reaped < 0 ? W_EXITCODE(reply_ == Reply::none ? 1 : 0, 0) : status;
}

// Ends the helper if it still runs. False when it does not die or may not be killed: it is then
// left alone.
bool HelperRun::stop() {
    if (pid_ < 0)
        return true;
    // By the pidfd: where SIGCHLD is ignored, the number may belong to another process by now.
    if (pidfd_)
        syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    pollfd end{pidfd_.get(), POLLIN, 0};
    const auto deadline = Clock::now() + death_limit;
    while (pidfd_ && poll(&end, 1, milliseconds_until(deadline)) < 0 && errno == EINTR) {
    }
    const bool gone = !pidfd_ || end.revents != 0;
    if (gone)
        reap();
    pid_ = -1;
    return gone;
}

}  // namespace

std::string helper_path(const std::string& chosen) {
    return chosen.empty() ? TAPGATE_HELPER_PATH : chosen;
}

std::vector<UniqueFd> request_taps(const std::string& helper, const TapRequest& request,
                                   milliseconds limit) {
    if (request.queues < 1 || request.queues > max_fds_in_message)
        throw std::invalid_argument("a tap cannot have " + std::to_string(request.queues) +
                                    " queues");
    HelperRun run(helper, request);
    return run.finish(limit);
}

std::string tap_name(int tap) {
    ifreq request{};
    if (ioctl(tap, TUNGETIFF, &request) != 0)
        return {};
    return static_cast<const char*>(request.ifr_name);
}

VhostQueues open_vhost(unsigned count, const std::string& device) {
    VhostQueues queues;
    for (unsigned i = 0; i < count; i++) {
        UniqueFd fd(open(device.c_str(), O_RDWR | O_CLOEXEC));
        if (!fd) {
            queues.why_not = device + ": " + errno_text(errno);
            queues.fds.clear();
            break;
        }
        queues.fds.push_back(std::move(fd));
    }
    return queues;
}

}  // namespace tapgate
