// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a verb of the command line is, and an option of one. The table of them is in verbs.cc; the
// parser, --help and the shells' completions read what main() hands them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/error.h"

namespace tapgate {

struct CommandLine;

/// What stands behind "--".
enum class Rest {
    nothing,
    words,           ///< the verb's to read
    qemu_arguments,  ///< each as if it were --qemu-arg=
};

struct Verb {
    std::string_view name;
    /// As in --help, and what is not in brackets is needed: "NAME", "[NAME]", "FILE [NAME]"; of the
    /// last there may be more: "NAME...".
    std::string_view operands = {};
    bool vm_options = false;  ///< takes the options that describe a VM
    Rest rest = Rest::nothing;
    std::string_view help;
    /// Other names that it answers to, between blanks: what other programs call it.
    std::string_view aliases = {};
    /// For several VMs at once, what a table shows meanwhile ("starting") and afterwards ("runs");
    /// none: the verb has one.
    std::string_view doing = {};
    std::string_view done = {};
    /// Does it. Throws a LauncherError.
    ExitCode (*run)(const CommandLine& command);
};

struct VerbOption {
    std::string_view name;           ///< without the dashes
    char letter = 0;                 ///< the short form; 0: none
    std::string_view argument = {};  ///< as in --help; empty: a switch
    std::string_view verbs;          ///< that take it, between blanks
    std::string_view help = {};      ///< empty: not for users, and not in --help
    /// Where it means something else to each verb, what it means to these: "stop
    /// restart=...|wait=...".
    std::string_view helps = {};
};

/// All that the command line knows.
struct Grammar {
    std::span<const Verb> verbs;
    std::span<const VerbOption> options;

    /// The verb of this name or alias; nothing when there is none.
    [[nodiscard]] const Verb* find(std::string_view name) const;
};

struct Operand {
    std::string kind;  ///< "NAME", "bash|zsh"
    bool optional = false;
    bool repeats = false;
};

/// Whether `word` is one of `words`, which stand between blanks, as in the tables above.
bool is_among(std::string_view words, std::string_view word);

/// The verb's operands, one by one.
std::vector<Operand> operands_of(const Verb& verb);

/// What the option means to the verb; to all of them when there is none.
std::string_view help_of(const VerbOption& option, const Verb* verb);

/// Whether the verb takes the option.
bool takes(const Verb& verb, const VerbOption& option);

}  // namespace tapgate
