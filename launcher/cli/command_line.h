// SPDX-License-Identifier: GPL-2.0-or-later
//
// Parses `tapgate VERB [NAME] [options]` with Boost.Program_options, according to a grammar.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"
#include "launcher/cli/grammar.h"
#include "launcher/vm/setting.h"

namespace tapgate {

struct CommandLine {
    const Grammar* grammar = nullptr;   ///< the grammar by which it was parsed
    const Verb* verb = nullptr;         ///< null when there is only --help or --version
    std::vector<std::string> operands;  ///< what follows the verb
    std::vector<std::string> rest;      ///< what follows "--"; with VM options these are --qemu-arg
    std::map<std::string, std::string> options;  ///< the verb's own; a switch has an empty value
    std::vector<std::string> words;              ///< the whole command line as it was typed
    std::vector<Setting> settings;               ///< the VM's

    [[nodiscard]] bool has(const std::string& option) const { return options.contains(option); }

    /// The option's value; `otherwise` if it was not given.
    [[nodiscard]] std::string option(const std::string& name,
                                     std::string_view otherwise = {}) const;

    /// The option's value in seconds, up to a day; `otherwise` if it was not given. Throws a
    /// UsageError.
    [[nodiscard]] std::chrono::milliseconds seconds(const std::string& name,
                                                    std::chrono::milliseconds otherwise) const;

    /// The first operand as a VM's name. Throws a UsageError when it cannot be one.
    [[nodiscard]] VmName vm_name() const;
};

/// Parses `arguments`, which do not include the program's name. Relative paths start in
/// `directory`. The grammar must outlive the result. Throws a UsageError that names the wrong word.
CommandLine parse_command_line(const Grammar& grammar, const std::vector<std::string>& arguments,
                               const std::string& directory);

/// `word` as a VM's name. Throws a UsageError when it cannot be one.
VmName parse_vm_name(const std::string& word);

/// The verb called `word`. Throws a UsageError that suggests the verb that was probably meant.
const Verb& verb_of(const Grammar& grammar, const std::string& word);

/// The text of --help; with a verb, only what concerns that. `terminal` is the terminal's width, 0
/// when there is none.
std::string help_text(const Grammar& grammar, const Verb* verb, size_t terminal);

}  // namespace tapgate
