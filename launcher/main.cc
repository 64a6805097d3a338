// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate: the unprivileged launcher. So far it describes VMs and prints QEMU's command line for
// them; it starts nothing.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launcher/command_line.h"
#include "launcher/error.h"
#include "launcher/host.h"
#include "launcher/qemu_argv.h"
#include "launcher/vm_options.h"

namespace tapgate {

namespace {

// What is not printed whole is a failure: a command line cut short is another one.
void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw LauncherError("cannot write to the standard output");
}

// The VM as all sources describe it. A name without a file is a VM only when options make it one:
// otherwise it is a typing mistake.
VmDescription load_vm(const CommandLine& command) {
    const std::string path = vm_file_path(*command.name);
    const auto text = read_vm_file(path);
    if (!text && command.settings.empty())
        throw LauncherError("no VM is called " + command.name->str() + ": there is no " +
                            shown(path) + "; make one with: tapgate create " + command.name->str() +
                            " --disk=PATH");
    std::vector<Setting> settings = command.settings;
    const auto lookup = [](const std::string& name) {
        return std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
    };
    for (Setting& setting : environment_settings(lookup, current_directory()))
        settings.push_back(std::move(setting));
    if (text) {
        for (Setting& setting : parse_vm_file(path, *text))
            settings.push_back(std::move(setting));
    }
    return describe_vm(*command.name, settings);
}

void show(const CommandLine& command) {
    const VmDescription vm = load_vm(command);
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
}

void print_argv(const CommandLine& command) {
    const VmDescription vm = load_vm(command);
    const HostFacts host = host_facts(vm.spec);
    std::optional<VmFds> fds;
    if (!command.plain_bridge)
        fds = planned_fds(vm.spec);
    const std::vector<std::string> argv = qemu_argv(vm.spec, host, fds);
    std::string text;
    switch (command.output) {
        case CommandLine::Output::shell:
            text = shell_text(argv) + "\n";
            break;
        case CommandLine::Output::json:
            // An argument that is no UTF-8 can only be shown changed: better not at all.
            try {
                text = nlohmann::json(argv).dump() + "\n";
            } catch (const nlohmann::json::type_error&) {
                throw LauncherError("--json: an argument is not UTF-8; use --null");
            }
            break;
        case CommandLine::Output::null_separated:
            for (const std::string& argument : argv)
                text.append(argument).push_back('\0');
            break;
    }
    print(text);
}

void create(const CommandLine& command) {
    describe_vm(*command.name, command.settings);
    // From here on: what gets written describes a VM.
    const std::string path = vm_file_path(*command.name);
    write_vm_file(path, vm_file_text(*command.name, command.settings));
    print(shown(path) + "\n");
}

int run(const std::vector<std::string>& arguments) {
    const CommandLine command = parse_command_line(arguments, current_directory());
    switch (command.verb) {
        case CommandLine::Verb::help:
            print(help_text());
            break;
        case CommandLine::Verb::version:
            print("tapgate " TAPGATE_VERSION "\n");
            break;
        case CommandLine::Verb::argv:
            print_argv(command);
            break;
        case CommandLine::Verb::show:
            show(command);
            break;
        case CommandLine::Verb::create:
            create(command);
            break;
    }
    return EXIT_SUCCESS;
}

}  // namespace

}  // namespace tapgate

int main(int argc, char** argv) {
    try {
        return tapgate::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    } catch (const tapgate::UsageError& error) {
        std::fprintf(stderr, "tapgate: %s; see tapgate --help\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "tapgate: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
