// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/verbs.h"

#include <algorithm>
#include <string>

#include "launcher/describe_verbs.h"
#include "launcher/translate_verbs.h"

namespace tapgate {

namespace {

constexpr Verb all_verbs[] = {
    // Describing
    {"create", "NAME", 1, 1, true, false, "write the VM file of NAME", create_vm},
    {"show", "NAME", 1, 1, true, false, "print each setting, and where it comes from", show_vm},
    {"argv", "NAME", 1, 1, true, false, "print QEMU's command line; start nothing", print_argv},
    // Bringing along
    {"translate", "[FILE]", 0, 1, true, true,
     "describe the VM of an old QEMU command line: a script's, or behind --", translate_vm},
};

constexpr VerbOption all_options[] = {
    {"json", 0, "", "argv translate", "print JSON"},
    {"null", '0', "", "argv", "end each argument with a NUL byte, as xargs -0 reads them"},
    {"plain-bridge", 0, "", "argv",
     "let QEMU start the helper itself, without its sandbox, instead of giving it descriptors"},
    {"create", 0, "NAME", "translate", "write the VM file of NAME, too"},
    {"pid", 0, "N", "translate", "read the command line of this running QEMU"},
    {"argv", 0, "", "translate", "print the new command line, too"},
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
