// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs other programs for what they print (qemu-img, qemu-system-x86_64 -machine help) or at the
// terminal (the user's editor). Never through a shell.
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
    int exit_code = 0;  ///< after a signal: 128 plus its number, as in a shell
    std::string output;
    std::string errors;
};

constexpr size_t most_program_output = 1024UL * 1024;

/// Runs `words`, the first of which is looked up in PATH, with an empty stdin, and waits for it to
/// end. Throws a LauncherError when it cannot be started, has not ended after `limit` (it is then
/// killed), or writes more than `most_output` bytes. `confinement` says what it may open; null:
/// everything that its user may.
ProgramResult run_program(const std::vector<std::string>& words,
                          std::chrono::milliseconds limit = std::chrono::seconds(30),
                          size_t most_output = most_program_output,
                          const Confinement* confinement = nullptr);

/// Runs `words` at this process's terminal for as long as the user likes; Ctrl-C goes to the
/// program. Returns the exit code as above. Throws a LauncherError when it cannot be started.
int run_at_terminal(const std::vector<std::string>& words);

/// A program at this process's terminal, which this process waits for along with other things. The
/// program has the default signal dispositions, whatever this process does with its own signals.
class TerminalProgram {
  public:
    /// Starts it; the first of `words` is looked up in PATH. `errors` becomes its stderr, unless it
    /// is -1. Throws a LauncherError.
    explicit TerminalProgram(const std::vector<std::string>& words, int errors = -1);
    /// Kills and reaps it, unless it has ended.
    ~TerminalProgram();
    TerminalProgram(const TerminalProgram&) = delete;
    TerminalProgram& operator=(const TerminalProgram&) = delete;

    /// A descriptor that poll() finds readable when the program has ended; still owned here.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    /// Waits for it to end, and returns the exit code as above. To be called once.
    int wait();

    void signal(int number) const;

  private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
};

/// The absolute path of this very program, for starting it again with other arguments. Throws a
/// LauncherError.
std::string own_program();

}  // namespace tapgate
