// SPDX-License-Identifier: GPL-2.0-or-later
//
// A command of a shell script, as far as it is known without running it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/made_image.h"
#include "launcher/foreign/shell/problem.h"

namespace tapgate {

/// More words than any command line of QEMU's has; looking at more would take long.
inline constexpr size_t most_words = 2000;

struct ShellCommand {
    std::vector<std::pair<std::string, std::string>> environment;  ///< NAME=value before it
    std::vector<std::string> words;
    std::vector<std::string> redirections;  ///< as written: "2>&1"
    std::vector<std::string> notes;         ///< what is left out, as written: "| tee log", "$@"
    /// Where the script would end before it, on this host or without arguments, as written.
    std::vector<std::string> ends;
    std::vector<std::string> others;  ///< starts of QEMU, and options, that are not reached
    /// Tests that decide whether it is run, as written, and whether they held.
    std::vector<std::pair<std::string, bool>> tests;
    /// Variables that nothing has set, and so add no word, each with the place of the next word.
    std::vector<std::pair<size_t, std::string>> absent;
    /// Variables with unknown values, for which `words` has unknown_text.
    std::vector<std::string> unknown;
    /// Commands, as written, that were replaced by how many processors this host has.
    std::map<std::string, std::string> of_host;
    /// The options after it, as written, that a shell takes for commands of their own, since each
    /// begins a line and the line before does not go on.
    std::vector<std::string> cut_off;
    unsigned cut_line = 0;          ///< the line of the first of them
    bool is_commented = false;      ///< it ends in a comment
    bool is_joined = false;         ///< its lines were broken, and a `\' was missing there
    bool background = false;        ///< it ends in `&'
    bool is_list = false;           ///< it was a list of quoted words of another language
    bool is_written = false;        ///< it is in a file that the script writes
    std::vector<unsigned> written;  ///< lines of other starts, in files that the script writes
    bool is_passed = false;         ///< a test whether a file exists decided against it
    bool has_arguments = false;     ///< arguments were given to the script with it
    unsigned line = 1;              ///< the line where it begins
    std::vector<MadeImage> images;  ///< all that the script makes
    std::string directory;          ///< of the last `cd' before it; may be empty
    ShellProblem problem;           ///< what only a shell can do; none if the words are right
};

/// How a script is read.
enum class ShellReading {
    here,       ///< as it would run on this host and with its files
    elsewhere,  ///< as it would run on any host
    flat,       ///< each line once; all branches count alike
};

}  // namespace tapgate
