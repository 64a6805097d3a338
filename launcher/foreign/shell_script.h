// SPDX-License-Identifier: GPL-2.0-or-later
//
// The commands of a shell script, as far as they can be known without running it: quotes, comments,
// continued lines, and variables and arrays that the script sets to a plain text. Nothing is ever
// run.
//
// libvirt's logs of the QEMUs that it started, systemd's units and lines of ps read the same way.
#ifndef TAPGATE_LAUNCHER_FOREIGN_SHELL_SCRIPT_H
#define TAPGATE_LAUNCHER_FOREIGN_SHELL_SCRIPT_H

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapgate {

struct ShellCommand {
    std::vector<std::pair<std::string, std::string>> environment;  ///< NAME=value in front of it
    std::vector<std::string> words;
    std::vector<std::string> redirections;  ///< as written: "2>&1"
    std::vector<std::string> notes;         ///< as written, what is left out: "| tee log", "$@"
    bool background = false;                ///< ends in `&'
    unsigned line = 1;                      ///< where it begins
    std::string directory;                  ///< of the last `cd' in front of it; may be empty
    std::string problem;  ///< what only a shell can do; empty: the words are right
};

/// The commands of `text` in their order. A command that cannot be known without running it has a
/// `problem`, and the others are none the worse. `lookup`: see ShellVariables. Throws a
/// LauncherError for a NUL byte, and for variables that grow without end.
std::vector<ShellCommand> read_shell_script(
    std::string_view text, const std::function<const char*(const std::string&)>& lookup);

}  // namespace tapgate

#endif
