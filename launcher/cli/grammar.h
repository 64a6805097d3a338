// SPDX-License-Identifier: GPL-2.0-or-later
//
// What verbs of the command line and their options are. Their table is in verbs.cc; main() hands it
// to the parser, to --help and to the shells' completions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/error.h"

namespace tapgate {

struct CommandLine;

/// What may follow "--".
enum class Rest {
    nothing,
    words,           ///< words for the verb to read
    qemu_arguments,  ///< arguments of QEMU, as if each were given by --qemu-arg=
};

struct Verb {
    /// The heading of --help that begins with it; empty: it belongs to that of the one before.
    std::string_view group = {};
    std::string_view name;
    /// As in --help: "NAME", "[NAME]", "FILE [NAME]". What is not in brackets is required;
    /// "NAME..." at the end means one or more.
    std::string_view operands = {};
    bool vm_options = false;  ///< it takes the options that describe a VM
    Rest rest = Rest::nothing;
    std::string_view help;
    /// Other names for it, separated by blanks: what other programs call it.
    std::string_view aliases = {};
    /// For a verb that takes several VMs: what the table shows meanwhile ("starting") and
    /// afterwards ("runs"). Empty for a verb that takes one.
    std::string_view doing = {};
    std::string_view done = {};
    /// Carries out the verb. Throws a LauncherError.
    ExitCode (*run)(const CommandLine& command);
};

struct VerbOption {
    std::string_view name;           ///< without the dashes
    char letter = 0;                 ///< the short form; 0: none
    std::string_view argument = {};  ///< as in --help; empty for a switch
    std::string_view verbs;          ///< the verbs that take it, separated by blanks
    std::string_view help = {};      ///< empty: it is not for users, and not in --help
    /// For verbs to which it means something else: what it means to these, as in "stop
    /// restart=...|wait=...".
    std::string_view helps = {};
};

/// The whole command line.
struct Grammar {
    std::span<const Verb> verbs;
    std::span<const VerbOption> options;

    /// The verb with this name or alias; null when there is none.
    [[nodiscard]] const Verb* find(std::string_view name) const;
};

struct Operand {
    std::string kind;  ///< "NAME", "bash|zsh"
    bool optional = false;
    bool repeats = false;
};

/// Whether `word` is one of `words`, which are separated by blanks as in the tables above.
bool is_among(std::string_view words, std::string_view word);

/// The verb's operands, one by one.
std::vector<Operand> operands_of(const Verb& verb);

/// What the option means to the verb; without a verb, what it means in general.
std::string_view help_of(const VerbOption& option, const Verb* verb);

/// Whether the verb takes the option.
bool takes(const Verb& verb, const VerbOption& option);

}  // namespace tapgate
