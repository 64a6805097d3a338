// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs of the command line and their options, each once: the parser, --help, the shells'
// completions and main() read these tables.
#ifndef TAPGATE_LAUNCHER_VERBS_H
#define TAPGATE_LAUNCHER_VERBS_H

#include <span>
#include <string_view>

#include "launcher/cli/command_line.h"

namespace tapgate {

/// What stands behind "--".
enum class Rest {
    nothing,
    words,           ///< the verb's to read
    qemu_arguments,  ///< each as if it were --qemu-arg=
};

struct Verb {
    std::string_view name;
    std::string_view operands;  ///< as in --help: "NAME", "[NAME]", "NAME FILE"
    size_t least_operands;
    size_t most_operands;
    bool vm_options;  ///< takes the options that describe a VM
    Rest rest;        ///< what words behind "--" are
    std::string_view help;
    /// Does it; returns the exit code. Throws a LauncherError.
    int (*run)(const CommandLine& command);
};

struct VerbOption {
    std::string_view name;      ///< without the dashes
    char letter;                ///< 0: none
    std::string_view argument;  ///< as in --help; empty: a switch
    std::string_view verbs;     ///< that take it, between blanks
    std::string_view help;      ///< empty: not for users, and not in --help
};

std::span<const Verb> verbs();
std::span<const VerbOption> verb_options();

/// Nothing when there is none of this name.
const Verb* find_verb(std::string_view name);

/// Does the verb take the option?
bool takes(const Verb& verb, const VerbOption& option);

}  // namespace tapgate

#endif
