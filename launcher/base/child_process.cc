// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/child_process.h"

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
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "launcher/base/confinement.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int first_inherited = STDERR_FILENO + 1;

// After SIGKILL: only a process that hangs in the kernel takes longer.
constexpr std::chrono::milliseconds death_limit{2000};

// What posix_spawn() is to do between fork and exec.
class Plan {
  public:
    Plan() {
        check(posix_spawn_file_actions_init(&actions_));
        check(posix_spawnattr_init(&attributes_));
    }
    ~Plan() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    void set_descriptors(const Launch& launch) {
        const int behind = first_inherited + static_cast<int>(launch.inherited.size());
        check(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDWR, 0));
        const int output = launch.output < 0 ? STDIN_FILENO : out_of_the_way(launch.output, behind);
        check(posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO));
        const int errors = launch.errors < 0 ? output : out_of_the_way(launch.errors, behind);
        check(posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO));
        int number = first_inherited;
        for (const int fd : launch.inherited)
            check(
                posix_spawn_file_actions_adddup2(&actions_, out_of_the_way(fd, behind), number++));
        check(posix_spawn_file_actions_addclosefrom_np(&actions_, behind));
    }

    void set_signals(bool deaf, bool own_session) {
        sigset_t signals;
        sigemptyset(&signals);
        if (deaf) {
            for (const int signal : {SIGTERM, SIGINT, SIGHUP})
                sigaddset(&signals, signal);
        }
        check(posix_spawnattr_setsigmask(&attributes_, &signals));
        sigfillset(&signals);
        check(posix_spawnattr_setsigdefault(&attributes_, &signals));
        const int session = own_session ? POSIX_SPAWN_SETSID : 0;
        check(posix_spawnattr_setflags(
            &attributes_,
            static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | session)));
    }

    int spawn(const Launch& launch, pid_t& pid) {
        std::vector<char*> argv;
        argv.reserve(launch.argv.size() + 1);
        for (const std::string& word : launch.argv)
            // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): exec does not write there
            argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        return posix_spawn(&pid, launch.program.c_str(), &actions_, &attributes_, argv.data(),
                           environ);
    }

  private:
    static void check(int error) {
        if (error != 0)
            throw LauncherError("cannot prepare a program's start: " + errno_text(error));
    }

    // A copy with a number so high that no dup2() below overwrites it.
    int out_of_the_way(int fd, int behind) {
        UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, behind));
        if (!copy)
            fail_with_errno("cannot prepare a program's start: fcntl");
        return copies_.emplace_back(std::move(copy)).get();
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
    std::vector<UniqueFd> copies_;
};

}  // namespace

int spawn(const Launch& launch, pid_t& pid) {
    Plan plan;
    plan.set_descriptors(launch);
    plan.set_signals(launch.deaf, launch.own_session);
    if (launch.confinement == nullptr)
        return plan.spawn(launch, pid);
    int error = 0;
    launch.confinement->run([&] { error = plan.spawn(launch, pid); });
    return error;
}

Pipe make_pipe(int flags) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC | flags) != 0)
        fail_with_errno("pipe");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

int milliseconds_until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 1 << 30));
}

std::optional<std::string> find_program(const std::string& name) {
    const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
    std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
    for (std::string directory; std::getline(directories, directory, ':');) {
        std::string file = directory;
        file.append("/").append(name);
        if (file.front() == '/' && access(file.c_str(), X_OK) == 0)
            return file;
    }
    return std::nullopt;
}

std::string ProcessEnd::text() const {
    if (!WIFSIGNALED(status))
        return "exit code " + std::to_string(WEXITSTATUS(status));
    const char* const name = sigabbrev_np(WTERMSIG(status));
    return "signal " + std::to_string(WTERMSIG(status)) +
           (name != nullptr ? std::string(" (SIG") + name + ")" : "");
}

ChildProcess::ChildProcess(const Launch& launch) {
    // When SIGCHLD is ignored, which programs inherit, nobody learns how a child ended.
    std::signal(SIGCHLD, SIG_DFL);
    if (const int error = spawn(launch, pid_); error != 0)
        throw LauncherError("cannot start " + shown(launch.program) + ": " + errno_text(error));
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    if (!pidfd_) {
        const int error = errno;
        ::kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        errno = error;
        fail_with_errno("cannot watch " + shown(launch.program));
    }
}

ChildProcess::~ChildProcess() {
    if (end_)
        return;
    try {
        kill();
        wait(death_limit);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
        // Somebody else has waited for it already.
    }
}

std::optional<ProcessEnd> ChildProcess::wait(Milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    while (!end_) {
        int status = 0;
        const pid_t reaped = waitpid(pid_, &status, WNOHANG);
        if (reaped == pid_) {
            end_ = ProcessEnd{status};
            break;
        }
        if (reaped < 0 && errno != EINTR)
            fail_with_errno("waitpid");
        const int left = milliseconds_until(deadline);
        if (left == 0)
            break;
        pollfd ended{pidfd_.get(), POLLIN, 0};
        poll(&ended, 1, left);
    }
    return end_;
}

void ChildProcess::signal(int number) {
    // By the descriptor, since the number may belong to another process by now.
    if (!end_)
        syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void ChildProcess::kill() {
    signal(SIGKILL);
}

}  // namespace tapgate
