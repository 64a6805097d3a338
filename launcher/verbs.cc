// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/verbs.h"

#include <algorithm>
#include <string>

#include "launcher/describe_verbs.h"

namespace tapgate {

namespace {

constexpr Verb all_verbs[] = {
    // Describing
    {"create", "NAME", 1, 1, true, true, "write the VM file of NAME", create_vm},
    {"edit", "NAME", 1, 1, false, false, "change the VM file in your editor, and check it",
     edit_vm},
    {"show", "NAME", 1, 1, true, true, "print each setting, and where it comes from", show_vm},
    {"argv", "NAME", 1, 1, true, true, "print QEMU's command line; start nothing", print_argv},
    {"completion", "bash|zsh", 1, 1, false, false,
     "print what makes the shell complete tapgate's words", print_completion},
    {"delete", "NAME", 1, 1, false, false, "remove the VM file and what belongs to it", delete_vm},
};

constexpr VerbOption all_options[] = {
    {"json", 0, "", "show argv", "print JSON"},
    {"null", '0', "", "argv", "end each argument with a NUL byte, as xargs -0 reads them"},
    {"plain-bridge", 0, "", "argv",
     "let QEMU start the helper itself, without its sandbox, instead of giving it descriptors"},
    {"disks", 0, "", "delete", "remove the VM's own disks too, those in its data directory"},
    {"yes", 'y', "", "delete", "do not ask"},
};

}  // namespace

std::span<const Verb> verbs() {
    return all_verbs;
}
std::span<const VerbOption> verb_options() {
    return all_options;
}

const Verb* find_verb(std::string_view name) {
    const auto* const found = std::find_if(std::begin(all_verbs), std::end(all_verbs),
                                           [&](const Verb& verb) { return verb.name == name; });
    return found == std::end(all_verbs) ? nullptr : found;
}

bool takes(const Verb& verb, const VerbOption& option) {
    const std::string names = " " + std::string(option.verbs) + " ";
    return names.find(" " + std::string(verb.name) + " ") != std::string::npos;
}

}  // namespace tapgate
