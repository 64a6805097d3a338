// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/machine.h"

#include <algorithm>

#include "launcher/error.h"
#include "launcher/program.h"
#include "launcher/text.h"

namespace tapgate {

MachineType resolve_machine(const MachineType& machine, std::string_view help) {
    constexpr std::string_view mark = "(alias of ";
    while (!help.empty()) {
        std::string_view line = help.substr(0, help.find('\n'));
        help.remove_prefix(std::min(line.size() + 1, help.size()));
        const size_t alias = line.find(mark);
        if (alias == std::string_view::npos || line.substr(0, line.find(' ')) != machine.str())
            continue;
        line.remove_prefix(alias + mark.size());
        return MachineType::parse(line.substr(0, line.find(')'))).value_or(machine);
    }
    return machine;
}

MachineType ask_for_machine(const MachineType& machine, const std::string& qemu) {
    const ProgramResult help = run_program({qemu, "-machine", "help"});
    if (help.exit_code != 0)
        throw LauncherError(shown(qemu) + " -machine help: " + terminal_text(help.errors));
    return resolve_machine(machine, help.output);
}

}  // namespace tapgate
