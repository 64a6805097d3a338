// SPDX-License-Identifier: GPL-2.0-or-later
//
// A command of a shell script, as far as it is known without running it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/made_image.h"
#include "launcher/foreign/shell/problem.h"

namespace tapgate {

/// What no command line of QEMU's has; looking at more would take long.
inline constexpr size_t most_words = 2000;

struct ShellCommand {
    std::vector<std::pair<std::string, std::string>> environment;  ///< NAME=value in front of it
    std::vector<std::string> words;
    std::vector<std::string> redirections;  ///< as written: "2>&1"
    std::vector<std::string> notes;         ///< as written, what is left out: "| tee log", "$@"
    std::vector<std::string> others;        ///< starts of QEMU and options that are not reached
    /// Tests that it hangs on, as written, and whether they held.
    std::vector<std::pair<std::string, bool>> tests;
    /// What stood in front of that word and comes to none: a variable that nothing has set.
    std::vector<std::pair<size_t, std::string>> absent;
    /// Variables of which nobody knows the value, and which stand in `words` as unknown_text.
    std::vector<std::string> unknown;
    /// As written, the options behind it that a shell takes for commands of their own, since they
    /// begin a line and it does not go on there.
    std::vector<std::string> cut_off;
    unsigned cut_line = 0;          ///< where the first of them stands
    bool is_commented = false;      ///< a comment ends it
    bool background = false;        ///< ends in `&'
    bool is_written = false;        ///< it stands in a file that the script writes
    bool is_passed = false;         ///< a test of a file's being there decided against it
    bool has_arguments = false;     ///< the script that it stands in was given some
    unsigned line = 1;              ///< where it begins
    std::vector<MadeImage> images;  ///< that the script makes, here or there
    std::string directory;          ///< of the last `cd' in front of it; may be empty
    ShellProblem problem;           ///< what only a shell can do; none: the words are right
};

/// How a script is read.
enum class ShellReading {
    here,       ///< as it would run on this host and with its files
    elsewhere,  ///< as it would run on any host
    flat,       ///< each line once, with all branches alike
};

}  // namespace tapgate
