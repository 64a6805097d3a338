// SPDX-License-Identifier: GPL-2.0-or-later
//
// Starts a program with exactly the descriptors that it is meant to have, and watches it.
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

/// What to start. The caller goes on owning the descriptors.
struct Launch {
    std::string program;  ///< absolute; argv[0] may be something else
    std::vector<std::string> argv;
    std::vector<int> inherited = {};  ///< become 3, 4, ...; nothing else is inherited
    int output = -1;                  ///< becomes stdout and stderr; -1: output is discarded
    int errors = -1;                  ///< becomes stderr, unless it is -1
    /// SIGTERM, SIGINT and SIGHUP do not reach it, whoever sends them: they are blocked, and stay
    /// so across an exec.
    bool deaf = false;
    /// It gets its own session, and so neither a terminal nor the signals of one.
    bool own_session = true;
    /// What it may open; null: everything that its user may.
    const Confinement* confinement = nullptr;
};

/// Starts the program with /dev/null as its stdin, and sets `pid`; the caller has to wait for it.
/// Returns 0, or the errno that says why the program could not be started. Throws a LauncherError
/// when this process lacks the descriptors or the memory to try.
int spawn(const Launch& launch, pid_t& pid);

/// How a process ended.
struct ProcessEnd {
    int status = 0;  ///< as wait(2) returns it

    [[nodiscard]] bool in_order() const { return status == 0; }
    /// Nothing when a signal ended it.
    [[nodiscard]] std::optional<int> exit_code() const {
        return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
    }
    /// "exit code 1", "signal 9 (SIGKILL)".
    [[nodiscard]] std::string text() const;
};

/// A child of this process. When it goes out of scope, the child is killed and reaped unless that
/// has been done.
class ChildProcess {
  public:
    using Milliseconds = std::chrono::milliseconds;

    /// Starts it with /dev/null as its stdin. Throws a LauncherError that names the program.
    explicit ChildProcess(const Launch& launch);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// A descriptor that poll() finds readable when the process has ended; still owned here.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    /// How it ended; nothing when it has not ended within `limit`.
    std::optional<ProcessEnd> wait(Milliseconds limit);

    void signal(int number);
    void kill();

    /// Lets the child go on without this process.
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

/// Makes a pipe; `flags` are those of pipe2(2). Throws a LauncherError.
Pipe make_pipe(int flags = 0);

/// The absolute path of the program `name`, as exec would find it in PATH; nothing when PATH has
/// none.
std::optional<std::string> find_program(const std::string& name);

/// Milliseconds until `deadline` for poll(), rounded up so that it does not spin at the end.
int milliseconds_until(std::chrono::steady_clock::time_point deadline);

}  // namespace tapgate
