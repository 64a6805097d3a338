// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/describe_verbs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launcher/error.h"
#include "launcher/files.h"
#include "launcher/host.h"
#include "launcher/output.h"
#include "launcher/qemu_argv.h"
#include "launcher/text.h"
#include "launcher/vm_file.h"

namespace tapgate {

int create_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    describe_vm(name, command.settings);
    // From here on: what gets written describes a VM.
    const std::string path = vm_file_path(name);
    write_new_file(path, vm_file_text(name, command.settings),
                   shown(path) + ": there is a VM of this name already");
    print(shown(path) + "\n");
    return 0;
}

int show_vm(const CommandLine& command) {
    const VmDescription vm = load_vm(command.vm_name(), command.settings);
    size_t width = 0;
    for (const Setting& setting : vm.settings)
        width = std::max(width, setting_text(setting).size());
    std::string text;
    for (const Setting& setting : vm.settings) {
        std::string line = setting_text(setting);
        line.resize(width, ' ');
        text += line + "   # " + setting.place + "\n";
    }
    print(text);
    return 0;
}

int print_argv(const CommandLine& command) {
    const VmDescription vm = load_vm(command.vm_name(), command.settings);
    const HostFacts host = host_facts(vm.spec, command.option("helper"));
    std::optional<VmFds> fds;
    if (!command.has("plain-bridge"))
        fds = planned_fds(vm.spec, has_vhost());
    const std::vector<std::string> argv = qemu_argv(vm.spec, host, fds);
    if (command.has("null")) {
        std::string text;
        for (const std::string& argument : argv)
            text.append(argument).push_back('\0');
        print(text);
    } else if (command.has("json")) {
        // An argument that is no UTF-8 can only be shown changed: better not at all.
        try {
            print(nlohmann::json(argv).dump() + "\n");
        } catch (const nlohmann::json::type_error&) {
            throw LauncherError("--json: an argument is not UTF-8; use --null");
        }
    } else {
        print(shell_text(argv) + "\n");
    }
    return 0;
}

}  // namespace tapgate
