// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate VERB NAME [options], taken apart by Boost.Program_options.
#ifndef TAPGATE_LAUNCHER_COMMAND_LINE_H
#define TAPGATE_LAUNCHER_COMMAND_LINE_H

#include <optional>
#include <string>
#include <vector>

#include "launcher/vm_options.h"

namespace tapgate {

struct CommandLine {
    enum class Verb { help, version, argv, show, create };
    enum class Output { shell, json, null_separated };

    Verb verb = Verb::help;
    std::optional<VmName> name;  // of argv, show, create
    Output output = Output::shell;
    bool plain_bridge = false;
    std::vector<Setting> settings;
};

/// What `arguments` (without the program's name) ask for; relative paths start in `directory`.
/// Throws a UsageError that names the word that is wrong.
CommandLine parse_command_line(const std::vector<std::string>& arguments,
                               const std::string& directory);

/// What --help prints.
std::string help_text();

}  // namespace tapgate

#endif
