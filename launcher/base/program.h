// SPDX-License-Identifier: GPL-2.0-or-later
//
// Other programs that are run for what they print (qemu-img, qemu-system-x86_64 -machine help), or
// at the terminal (the user's editor). Never through a shell.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

class Confinement;

/// How a program ended, and what it wrote.
struct ProgramResult {
    int exit_code = 0;  ///< 128 and the signal's number after a signal, as with a shell
    std::string output;
    std::string errors;
};

constexpr size_t most_program_output = 1024UL * 1024;

/// Runs `words` (the first is looked for in PATH) with nothing on stdin, and waits for its end.
/// Throws a LauncherError when it cannot be started, has not ended after `limit` (it is killed
/// then), or writes more than `most_output` bytes. `confinement`: what it may open; null: all that
/// its user may.
ProgramResult run_program(const std::vector<std::string>& words,
                          std::chrono::milliseconds limit = std::chrono::seconds(30),
                          size_t most_output = most_program_output,
                          const Confinement* confinement = nullptr);

/// Runs `words` at this process's terminal, for as long as the user likes; Ctrl-C is the program's.
/// Returns the exit code as above. Throws a LauncherError when it cannot be started.
int run_at_terminal(const std::vector<std::string>& words);

/// A program at this process's terminal, which this process waits for beside other things. With its
/// signals as they are usually, whatever this process does with its own.
class TerminalProgram {
  public:
    /// Starts it, the first of `words` being looked for in PATH. `errors`: becomes its stderr, when
    /// not -1. Throws a LauncherError.
    explicit TerminalProgram(const std::vector<std::string>& words, int errors = -1);
    /// Killed and reaped, when it has not ended.
    ~TerminalProgram();
    TerminalProgram(const TerminalProgram&) = delete;
    TerminalProgram& operator=(const TerminalProgram&) = delete;

    /// Readable for poll() when it has ended; still owned here.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    /// Waits for its end; once. Returns the exit code as above.
    int wait();

    void signal(int number) const;

  private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
};

/// The absolute path of this very program, to be started again with other arguments. Throws a
/// LauncherError.
std::string own_program();

}  // namespace tapgate
