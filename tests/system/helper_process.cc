// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/helper_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <iterator>
#include <sstream>
#include <utility>

#include "tests/system/testbed.h"

namespace tapgate {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& s : strings) {
        out.push_back(
            const_cast<char*>(s.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    }
    out.push_back(nullptr);
    return out;
}

// As QEMU leaves its child: these blocked, SIGPIPE ignored.
void qemu_signal_state() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGALRM, SIGCHLD, SIGIO, SIGUSR1, SIGBUS})
        sigaddset(&set, signal);
    sigprocmask(SIG_SETMASK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

// In the child: its own group, so that it can be killed together with whatever it starts.
[[noreturn]] void exec_helper(const std::vector<std::string>& argv, const HelperOptions& options,
                              int socket, int out, int err) {
    setpgid(0, 0);
    const int null = open("/dev/null", O_RDWR);  // NOLINT(android-cloexec-open)
    if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || close(null) != 0)
        _exit(125);
    // dup2() onto itself would leave close-on-exec set.
    if (socket == socket_number ? fcntl(socket, F_SETFD, 0) < 0 : dup2(socket, socket_number) < 0)
        _exit(125);
    qemu_signal_state();
    // Still as root: exec keeps a setuid bit when who asked for the tracing may trace everything,
    // and that is this process (ptrace_link() in the kernel's kernel/ptrace.c).
    if (options.traced && ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
        _exit(125);
    if (options.uid != 0 && (setgroups(options.groups.size(), options.groups.data()) != 0 ||
                             setresgid(options.gid, options.gid, options.gid) != 0 ||
                             setresuid(options.uid, options.uid, options.uid) != 0)) {
        _exit(125);
    }
    if (options.before_exec)
        options.before_exec();
    const std::string program = options.program.empty() ? Testbed::helper_path() : options.program;
    execve(program.c_str(), pointers(argv).data(), pointers(options.env).data());
    _exit(126);
}

std::string drain(int fd) {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
        const ssize_t n = read(fd, buffer.data(), buffer.size());
        if (n <= 0)
            return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

}  // namespace

HelperOptions as(const Account& user, std::vector<gid_t> groups) {
    HelperOptions options;
    options.uid = user.uid;
    options.gid = user.gid;
    options.groups = std::move(groups);
    return options;
}

HelperProcess::HelperProcess(const std::vector<std::string>& args, const HelperOptions& options)
    : options_(options) {
    std::vector<std::string> argv;
    if (options.argv) {
        argv = *options.argv;
    } else {
        argv.push_back(options.program.empty() ? Testbed::helper_path() : options.program);
        argv.insert(argv.end(), args.begin(), args.end());
    }

    std::array<int, 2> pair{};
    check_call(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0, "socketpair");
    socket_.reset(pair[0]);
    UniqueFd theirs(pair[1]);
    check_call(pipe2(pair.data(), O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
    out_.reset(pair[0]);
    UniqueFd out(pair[1]);
    check_call(pipe2(pair.data(), O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
    err_.reset(pair[0]);
    UniqueFd err(pair[1]);

    pid_ = fork();
    check_call(pid_ >= 0, "fork");
    if (pid_ == 0)
        exec_helper(argv, options, theirs.get(), out.get(), err.get());
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    check_call(static_cast<bool>(pidfd_), "pidfd_open");
}

HelperProcess::~HelperProcess() {
    if (pid_ > 0) {
        kill(SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
}

void HelperProcess::kill(int signal) const {
    ::kill(pid_, signal);
    ::kill(-pid_, signal);  // the group is not there yet in the first moments
}

HelperResult HelperProcess::finish() {
    const auto deadline = Clock::now() + options_.timeout;
    HelperResult received;
    bool timed_out = false;
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) {
            timed_out = true;
            kill(SIGKILL);
            break;
        }
        std::array<pollfd, 2> fds{pollfd{pidfd_.get(), POLLIN, 0},
                                  pollfd{options_.deaf ? -1 : socket_.get(), POLLIN, 0}};
        if (poll(fds.data(), fds.size(), static_cast<int>(left)) <= 0)
            continue;
        if ((fds[0].revents & POLLIN) != 0)
            break;
        // Nothing more to come, but still running: only its end is left to wait for.
        if ((fds[1].revents & POLLHUP) != 0) {
            pollfd end{pidfd_.get(), POLLIN, 0};
            poll(&end, 1, static_cast<int>(left));
            continue;
        }
        drain_socket(&received);
    }
    int status = 0;
    check_call(waitpid(pid_, &status, 0) == pid_, "waitpid");
    HelperResult result = collect(status);
    result.timed_out = timed_out;
    result.data.insert(0, received.data);
    result.fd_messages += received.fd_messages;
    result.control_truncated |= received.control_truncated;
    std::move(result.fds.begin(), result.fds.end(), std::back_inserter(received.fds));
    result.fds = std::move(received.fds);
    return result;
}

HelperResult HelperProcess::collect(int wait_status) {
    pid_ = -1;
    HelperResult result;
    if (WIFEXITED(wait_status)) {
        result.exit_status = WEXITSTATUS(wait_status);
    } else {
        result.signal = WTERMSIG(wait_status);
    }
    drain_socket(&result);
    result.out = drain(out_.get());
    result.err = drain(err_.get());
    return result;
}

void HelperProcess::drain_socket(HelperResult* result) const {
    while (true) {
        std::array<char, 65536> buffer{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
        iovec data{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t n = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n <= 0)
            return;
        result->data.append(buffer.data(), static_cast<std::size_t>(n));
        result->control_truncated |= (message.msg_flags & MSG_CTRUNC) != 0;
        for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                continue;
            ++result->fd_messages;
            const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
                result->fds.emplace_back(fd);
            }
        }
    }
}

// --- Verdicts

std::string describe(const HelperResult& run) {
    std::ostringstream text;
    text << "helper " << (run.timed_out ? "(timed out) " : "");
    if (run.exit_status >= 0) {
        text << "exited " << run.exit_status;
    } else {
        text << "died of signal " << run.signal;
    }
    text << ", sent " << run.data.size() << " byte(s) and " << run.fds.size() << " fd(s) in "
         << run.fd_messages << " message(s)" << (run.control_truncated ? ", truncated" : "")
         << ", stdout \"" << run.out << "\", stderr \"" << run.err.substr(0, 1000) << "\"";
    return text.str();
}

testing::AssertionResult granted(const HelperResult& run, std::size_t fds) {
    if (!run.timed_out && run.exit_status == 0 && run.data == std::string(1, '\0') &&
        run.fds.size() == fds && run.fd_messages == 1 && !run.control_truncated &&
        run.err.empty() && run.out.empty()) {
        return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "not granted: " << describe(run);
}

namespace {
// One line, newline-ended. Only a mistake in the policy is shown with its line and a caret below.
bool is_one_line(const std::string& text) {
    const std::size_t first = text.find('\n');
    if (first == std::string::npos)
        return false;
    if (first == text.size() - 1)
        return true;
    const std::size_t second = text.find('\n', first + 1);
    const std::string below = second == std::string::npos ? "" : text.substr(second + 1);
    const std::size_t caret = below.find_first_not_of(" \t");
    return text.starts_with("failed to parse default acl file") &&
           text.compare(first + 1, 4, "    ") == 0 &&
           (caret == std::string::npos
                ? below.empty()
                : below.substr(caret) == "^\n" || below.substr(caret) == "...\n");
}
}  // namespace

testing::AssertionResult failed(const HelperResult& run, std::string_view beginning) {
    const bool one_line = is_one_line(run.err);
    if (run.timed_out || run.exit_status != 1 || !run.fds.empty() || !run.data.empty() ||
        !run.out.empty()) {
        return testing::AssertionFailure() << "not a clean failure: " << describe(run);
    }
    if (!one_line)
        return testing::AssertionFailure() << "not one line on stderr: " << describe(run);
    if (!run.err.starts_with(beginning)) {
        return testing::AssertionFailure()
               << "stderr does not begin with \"" << beginning << "\": " << describe(run);
    }
    if (!Testbed::no_taps_left())
        return testing::AssertionFailure() << "a tap is left: " << describe(run);
    return testing::AssertionSuccess();
}

testing::AssertionResult failed_saying(const HelperResult& run, std::string_view beginning,
                                       std::string_view part) {
    testing::AssertionResult result = failed(run, beginning);
    if (result && run.err.find(part) == std::string::npos)
        return testing::AssertionFailure() << "stderr lacks \"" << part << "\": " << describe(run);
    return result;
}

}  // namespace tapgate
