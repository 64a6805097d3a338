// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "common/unique_fd.h"
#include "launcher/error.h"
#include "launcher/text.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;

// What happens between fork and exec: signals as in a fresh login, and no descriptor but stdio.
class Plan {
  public:
    Plan() {
        sigset_t signals;
        sigemptyset(&signals);
        check(posix_spawn_file_actions_init(&actions_));
        check(posix_spawnattr_init(&attributes_));
        check(posix_spawnattr_setsigmask(&attributes_, &signals));
        sigfillset(&signals);
        check(posix_spawnattr_setsigdefault(&attributes_, &signals));
        check(
            posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    }
    ~Plan() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    void set_output(int out, int err) {
        check(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
        check(posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO));
        check(posix_spawn_file_actions_adddup2(&actions_, err, STDERR_FILENO));
    }

    [[nodiscard]] pid_t spawn(const std::vector<std::string>& words) {
        check(posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1));
        std::vector<char*> argv;
        for (const std::string& word : words)
            // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): exec does not write there
            argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        pid_t pid = 0;
        const int error =
            posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), environ);
        if (error != 0)
            throw LauncherError("cannot start " + quoted_word(words[0]) + ": " + errno_text(error) +
                                (error == ENOENT ? "; is it installed?" : ""));
        return pid;
    }

  private:
    static void check(int error) {
        if (error != 0)
            throw std::system_error(error, std::generic_category(), "cannot start a program");
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

int exit_code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        // ECHILD: somebody ignores SIGCHLD, and nobody knows how it ended.
        if (errno != EINTR)
            return 0;
    }
    return exit_code_of(status);
}

// A pipe of which a child gets the writing end.
struct Pipe {
    UniqueFd reading;
    UniqueFd writing;

    Pipe() {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe");
        reading.reset(ends[0]);
        // Over stdio: closed there, dup2() of the other end would meet it.
        writing.reset(fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
        close(ends[1]);
        if (!writing)
            throw std::system_error(errno, std::generic_category(), "fcntl");
    }
};

// Reads both until their ends and the process's. Empty, or what is wrong.
std::string read_both(UniqueFd& out, UniqueFd& err, UniqueFd& process, ProgramResult& result,
                      Clock::time_point deadline, size_t most) {
    using std::chrono::milliseconds;
    while (out || err || process) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
        if (left <= 0)
            return "does not end";
        // poll() leaves out what is negative.
        std::array<pollfd, 3> fds{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0},
                                  pollfd{process.get(), POLLIN, 0}};
        if (poll(fds.data(), fds.size(), static_cast<int>(left)) < 0) {
            if (errno == EINTR)
                continue;
            return errno_text(errno);
        }
        if (fds[2].revents != 0)
            process.reset();
        for (const bool is_out : {true, false}) {
            if (fds[is_out ? 0 : 1].revents == 0)
                continue;
            UniqueFd& fd = is_out ? out : err;
            std::string& text = is_out ? result.output : result.errors;
            std::array<char, 16384> buffer{};
            const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
            if (got <= 0)
                fd.reset();
            else
                text.append(buffer.data(), static_cast<size_t>(got));
            if (text.size() > most)
                return "writes more than " + std::to_string(most) + " bytes";
        }
    }
    return {};
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& words, std::chrono::milliseconds limit,
                          size_t most_output) {
    const auto deadline = Clock::now() + limit;
    Pipe out;
    Pipe err;
    Plan plan;
    plan.set_output(out.writing.get(), err.writing.get());
    const pid_t pid = plan.spawn(words);
    out.writing.reset();
    err.writing.reset();
    ProgramResult result;
    UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    const std::string wrong =
        read_both(out.reading, err.reading, process, result, deadline, most_output);
    // From here on: it has ended, or must.
    if (!wrong.empty())
        kill(pid, SIGKILL);
    result.exit_code = wait_for(pid);
    if (!wrong.empty())
        throw LauncherError(quoted_word(words[0]) + " " + wrong + ", and was killed");
    return result;
}

int run_at_terminal(const std::vector<std::string>& words) {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;  // NOLINT(performance-no-int-to-ptr): libc's own macro
    struct sigaction interrupt {};
    struct sigaction quit {};
    const pid_t pid = Plan().spawn(words);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    const int code = wait_for(pid);
    sigaction(SIGINT, &interrupt, nullptr);
    sigaction(SIGQUIT, &quit, nullptr);
    return code;
}

}  // namespace tapgate
