// SPDX-License-Identifier: GPL-2.0-or-later
//
// A program that is started with exactly the descriptors it is meant to have, and watched.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

class Confinement;

/// What to start. The descriptors stay the caller's.
struct Launch {
    std::string program;  ///< absolute; argv[0] may be something else
    std::vector<std::string> argv;
    std::vector<int> inherited = {};  ///< become 3, 4, ...; nothing else is inherited
    int output = -1;                  ///< becomes stdout and stderr; -1: nothing is kept
    int errors = -1;                  ///< becomes stderr, when not -1
    /// SIGTERM, SIGINT and SIGHUP do not reach it, whoever sends them: they are blocked, which an
    /// exec does not change.
    bool deaf = false;
    /// It gets a session of its own, and so neither a terminal nor the signals of one.
    bool own_session = true;
    /// What it may open; null: all that its user may.
    const Confinement* confinement = nullptr;
};

/// Starts the program, stdin being /dev/null, and sets `pid`; waiting for its end is the caller's.
/// Returns 0, or the errno of what kept the program from being started. Throws a LauncherError when
/// this process lacks the descriptors or the memory to try.
int spawn(const Launch& launch, pid_t& pid);

/// How a process ended.
struct ProcessEnd {
    int status = 0;  ///< as wait() tells it

    [[nodiscard]] bool in_order() const { return status == 0; }
    /// Nothing after a signal.
    [[nodiscard]] std::optional<int> exit_code() const {
        return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
    }
    /// "exit code 1", "signal 9 (SIGKILL)".
    [[nodiscard]] std::string text() const;
};

/// A child of this process. Killed and reaped at the latest when it goes out of scope.
class ChildProcess {
  public:
    using Milliseconds = std::chrono::milliseconds;

    /// Starts it, stdin being /dev/null. Throws a LauncherError that names the program.
    explicit ChildProcess(const Launch& launch);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Readable for poll() once the process has ended; still owned here.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    /// How it ended; nothing when it has not within `limit`.
    std::optional<ProcessEnd> wait(Milliseconds limit);

    void signal(int number);
    void kill();

    /// It goes on without this process.
    void release() { end_ = ProcessEnd{}; }

  private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    std::optional<ProcessEnd> end_;
};

/// A pipe, close-on-exec at both ends.
struct Pipe {
    UniqueFd reading;
    UniqueFd writing;
};

/// `flags`: as pipe2(2) takes them. Throws a LauncherError.
Pipe make_pipe(int flags = 0);

/// The absolute path of the program `name`, as exec would find it in PATH; nothing when PATH has
/// none.
std::optional<std::string> find_program(const std::string& name);

/// Milliseconds until `deadline` for poll(), rounded up so that it does not spin at the end.
int milliseconds_until(std::chrono::steady_clock::time_point deadline);

}  // namespace tapgate
