// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate VERB [NAME] [options], taken apart by Boost.Program_options, as a grammar has it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/cli/grammar.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

struct CommandLine {
    const Grammar* grammar = nullptr;   ///< that it was read by
    const Verb* verb = nullptr;         ///< nothing: only --help or --version
    std::vector<std::string> operands;  ///< what is behind the verb
    std::vector<std::string> rest;  ///< what is behind "--"; with VM options they are --qemu-arg
    std::map<std::string, std::string> options;  ///< the verb's own; a switch has no value
    std::vector<std::string> words;              ///< all of it, as it was typed
    std::vector<Setting> settings;               ///< the VM's

    [[nodiscard]] bool has(const std::string& option) const { return options.contains(option); }

    /// The option's value; `otherwise` when it was not given.
    [[nodiscard]] std::string option(const std::string& name,
                                     std::string_view otherwise = {}) const;

    /// The option's value in seconds, up to a day; `otherwise` when it was not given. Throws a
    /// UsageError.
    [[nodiscard]] std::chrono::milliseconds seconds(const std::string& name,
                                                    std::chrono::milliseconds otherwise) const;

    /// The first operand as a VM's name. Throws a UsageError when it cannot be one.
    [[nodiscard]] VmName vm_name() const;
};

/// What `arguments` (without the program's name) ask for; relative paths start in `directory`. The
/// grammar has to live as long as the result. Throws a UsageError that names the word that is
/// wrong.
CommandLine parse_command_line(const Grammar& grammar, const std::vector<std::string>& arguments,
                               const std::string& directory);

/// `word` as a VM's name. Throws a UsageError when it cannot be one.
VmName parse_vm_name(const std::string& word);

/// The verb of this name. Throws a UsageError with the one that was probably meant.
const Verb& verb_of(const Grammar& grammar, const std::string& word);

/// What --help prints; with a verb, only what concerns that. `terminal`: how wide that is; 0: none.
std::string help_text(const Grammar& grammar, const Verb* verb, size_t terminal);

}  // namespace tapgate
