// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/program.h"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;

int exit_code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Reads both pipes until they and the process have ended. Returns what is wrong, or nothing.
std::string read_both(UniqueFd& out, UniqueFd& err, int process, ProgramResult& result,
                      Clock::time_point deadline, size_t most) {
    while (out || err || process >= 0) {
        const int left = milliseconds_until(deadline);
        if (left == 0)
            return "does not end";
        // poll() ignores negative descriptors.
        std::array<pollfd, 3> fds{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0},
                                  pollfd{process, POLLIN, 0}};
        if (poll(fds.data(), fds.size(), left) < 0) {
            if (errno == EINTR)
                continue;
            return errno_text(errno);
        }
        if (fds[2].revents != 0)
            process = -1;
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

// Starts the program with the default signal dispositions, whatever this process does with its own
// signals. `errors` becomes its stderr, unless it is -1.
pid_t start_at_terminal(const std::vector<std::string>& words, int errors) {
    // When SIGCHLD is ignored, which programs inherit, nobody learns how a child ended.
    std::signal(SIGCHLD, SIG_DFL);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words)
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): exec does not write there
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (errors >= 0)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
        throw LauncherError("cannot start " + quoted_word(words[0]) + ": " + errno_text(error));
    return pid;
}

int status_at_end(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& words, std::chrono::milliseconds limit,
                          size_t most_output, const Confinement* confinement) {
    const auto deadline = Clock::now() + limit;
    const auto program = words[0].starts_with('/') ? words[0] : find_program(words[0]);
    if (!program)
        throw LauncherError("there is no program " + quoted_word(words[0]) +
                            " in PATH; is it installed?");
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    ChildProcess child({.program = *program,
                        .argv = words,
                        .output = out.writing.get(),
                        .errors = err.writing.get(),
                        .confinement = confinement});
    out.writing.reset();
    err.writing.reset();
    ProgramResult result;
    const std::string wrong =
        read_both(out.reading, err.reading, child.pidfd(), result, deadline, most_output);
    if (!wrong.empty())
        throw LauncherError(quoted_word(words[0]) + " " + wrong + ", and was killed");
    // From here on: it has ended, and both pipes have been read to their end.
    if (const auto end = child.wait(limit))
        result.exit_code = exit_code_of(end->status);
    return result;
}

int run_at_terminal(const std::vector<std::string>& words) {
    const pid_t pid = start_at_terminal(words, -1);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;  // NOLINT(performance-no-int-to-ptr): libc's own macro
    struct sigaction interrupt {};
    struct sigaction quit {};
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    const int code = exit_code_of(status_at_end(pid));
    sigaction(SIGINT, &interrupt, nullptr);
    sigaction(SIGQUIT, &quit, nullptr);
    return code;
}

TerminalProgram::TerminalProgram(const std::vector<std::string>& words, int errors)
    : pid_(start_at_terminal(words, errors)),
      pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))) {
    if (pidfd_)
        return;
    const int error = errno;
    kill(pid_, SIGKILL);
    status_at_end(pid_);
    errno = error;
    fail_with_errno("cannot watch " + quoted_word(words[0]));
}

TerminalProgram::~TerminalProgram() {
    if (pid_ <= 0)
        return;
    kill(pid_, SIGKILL);
    wait();
}

int TerminalProgram::wait() {
    return exit_code_of(status_at_end(std::exchange(pid_, -1)));
}

void TerminalProgram::signal(int number) const {
    if (pid_ > 0)
        kill(pid_, number);
}

std::string own_program() {
    std::error_code error;
    std::string path = std::filesystem::read_symlink("/proc/self/exe", error).string();
    if (error)
        throw LauncherError("/proc/self/exe: " + error.message());
    return path;
}

}  // namespace tapgate
