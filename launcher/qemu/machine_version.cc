// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/machine_version.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/qemu/probe.h"
#include "launcher/vm/options.h"
#include "launcher/vm/setting.h"

namespace tapgate {

std::vector<Setting> with_machine_version(std::vector<Setting> settings,
                                          const MachineType& machine) {
    try {
        const auto machines = qemu_facts(find_qemu()).machines;
        // A machine that is a version already stays as it is.
        if (const auto version = machines.find(machine.str());
            version != machines.end() && version->second != machine.str())
            settings.push_back(command_line_setting("machine", version->second, "/"));
    } catch (const LauncherError& error) {
        note(std::string(error.what()) + "; the VM gets whatever " + machine.str() +
             " is at each start");
    }
    // Of a single value the last counts, and the file has it only once.
    std::set<std::string> seen;
    std::vector<Setting> last;
    std::reverse(settings.begin(), settings.end());
    for (Setting& setting : settings) {
        if (is_list_option(setting.key) || seen.insert(setting.key).second)
            last.push_back(std::move(setting));
    }
    std::reverse(last.begin(), last.end());
    return last;
}

}  // namespace tapgate
