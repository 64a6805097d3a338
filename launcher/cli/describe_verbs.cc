// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/describe_verbs.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/question.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/cli/completion.h"
#include "launcher/cli/lab_verbs.h"
#include "launcher/cli/slurm_look.h"
#include "launcher/cluster/slurm.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/removal.h"
#include "launcher/image/rename.h"
#include "launcher/qemu/argv.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/run/autostart.h"
#include "launcher/run/host.h"
#include "launcher/vm/change.h"
#include "launcher/vm/description.h"
#include "launcher/vm/edit.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"

namespace tapgate {

namespace {

nlohmann::json json_of(const Setting& setting) {
    constexpr std::array sources = {"command line", "environment", "file", "default"};
    return {{"key", setting.key},
            {"value", setting.value},
            {"source", sources.at(static_cast<size_t>(setting.source))},
            {"place", setting.place}};
}

// Prints what is odd about the VM's images, or why it would not start with them.
void note_images(const VmSpec& spec) {
    try {
        for (const std::string& odd : check_images(spec))
            note(odd);
    } catch (const LauncherError& error) {
        note(std::string("it will not start as it is: ") + error.what());
    }
}

// Whether one of `words` gives the VM a file, as "disk+=a.qcow2" does.
bool gives_image(const std::vector<std::string>& words) {
    return std::any_of(words.begin(), words.end(), [](const std::string& word) {
        const std::string key = word.substr(0, word.find_first_of("+="));
        return !word.ends_with('=') &&
               (key == "disk" || key == "cdrom" || key == "kernel" || key == "initrd");
    });
}

}  // namespace

ExitCode create_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const VmSpec spec = describe_vm(name, command.settings).spec;
    // From here on: what will be written is a valid VM.
    const std::string path = vm_file_path(name);
    write_new_file(
        path, vm_file_text(name, with_machine_version(command.settings, spec.machine)),
        shown(path) + ": there is a VM of this name already; see tapgate edit " + name.str());
    print(shown(path) + "\n");
    note_images(spec);
    return ExitCode::done;
}

ExitCode edit_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const bool on_slurm = is_on_slurm(name);
    const auto before = read_file(vm_file_path(name));
    edit_vm_file(name);
    if (on_slurm && read_file(vm_file_path(name)) != before)
        note_change_of_job(name);
    return ExitCode::done;
}

ExitCode set_keys(const CommandLine& command) {
    const VmName name = command.vm_name();
    const bool on_slurm = is_on_slurm(name);
    const std::vector<std::string> words(command.operands.begin() + 1, command.operands.end());
    change_vm_file(name, words, current_directory());
    if (gives_image(words))
        note_images(load_vm_file(name).spec);
    if (on_slurm)
        note_change_of_job(name);
    return ExitCode::done;
}

ExitCode rename_vm(const CommandLine& command) {
    const VmName from = command.vm_name();
    const VmName to = parse_vm_name(command.operands.at(1));
    // Including what starts it automatically.
    const HeldSignals signals;
    const bool starts = has_autostart(from);
    for (const std::string& one : rename_vm(from, to, vm_owner()))
        note(one);
    if (starts) {
        set_autostart(from, false);
        set_autostart(to, true);
    }
    return ExitCode::done;
}

ExitCode set_autostart(const CommandLine& command) {
    const VmName name = command.vm_name();
    const std::string& word = command.operands.at(1);
    if (word != "on" && word != "off")
        throw UsageError(quoted_word(word) + " is neither on nor off");
    // Turning it off works even when the VM is gone.
    if (word == "on" && !has_vm_file(name))
        throw no_such_vm(name);
    for (const std::string& one : set_autostart(name, word == "on"))
        note(one);
    if (word == "on" && is_on_slurm(name))
        note("on = slurm: that hands it in to Slurm, as a job");
    return ExitCode::done;
}

ExitCode delete_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const Removal removal =
        plan_removal(name, command.has("disks") ? OwnImages::go : OwnImages::stay);
    if (!command.has("yes") &&
        !agreed("Deleting " + name.str() + " removes\n" + removal.text() + "Go on"))
        throw LauncherError("nothing was deleted");
    // Including what starts it automatically.
    const HeldSignals signals;
    for (const std::string& one : remove_vm(name, removal))
        note(one);
    if (has_autostart(name))
        set_autostart(name, false);
    return ExitCode::done;
}

ExitCode show_vm(const CommandLine& command) {
    const VmDescription vm = load_vm(command.vm_name(), command.settings);
    if (command.has("json")) {
        nlohmann::json all = nlohmann::json::array();
        for (const Setting& setting : vm.settings)
            all.push_back(json_of(setting));
        print_json(all);
        return ExitCode::done;
    }
    size_t width = 0;
    size_t longest = 0;
    for (const Setting& setting : vm.settings) {
        width = std::max(width, setting_text(setting).size());
        longest = std::max(longest, setting.place.size());
    }
    constexpr std::string_view mark = "   # ";
    const size_t columns = output_width();
    const bool narrow = columns != 0 && width + mark.size() + longest > columns;
    std::string text;
    for (const Setting& setting : vm.settings) {
        std::string line = setting_text(setting);
        // A value may be one word or several, and is not folded.
        if (!narrow)
            line.resize(width, ' ');
        else if (line.size() + mark.size() + setting.place.size() > columns)
            line += "\n";
        text.append(line).append(mark).append(setting.place).append("\n");
    }
    print(text);
    return ExitCode::done;
}

ExitCode print_argv(const CommandLine& command) {
    const VmDescription vm = load_vm(command.vm_name(), command.settings);
    const HostFacts host = host_facts(vm.spec, command.option("helper"));
    std::optional<VmFds> fds;
    if (!command.has("plain-bridge"))
        fds = planned_fds(vm.spec, has_vhost());
    const std::vector<std::string> argv = qemu_argv(vm.spec, host, fds);
    for (const Share& share : vm.spec.shares) {
        if (share.via == ShareProtocol::virtiofs)
            note("the share " + share.tag +
                 " needs a virtiofsd that listens before QEMU starts, as `tapgate start' has it");
    }
    if (command.has("null")) {
        std::string text;
        for (const std::string& argument : argv)
            text.append(argument).push_back('\0');
        print(text);
    } else if (command.has("json")) {
        // An argument that is not UTF-8 could only be shown changed: better not at all.
        try {
            print(nlohmann::json(argv).dump() + "\n");
        } catch (const nlohmann::json::type_error&) {
            throw LauncherError("--json: an argument is not UTF-8; use --null");
        }
    } else {
        print(shell_text(argv) + "\n");
    }
    return ExitCode::done;
}

std::string help_for(const Grammar& grammar, const Verb* verb, const std::string& word,
                     size_t terminal) {
    const std::string of_lab =
        verb != nullptr && verb->name == "lab" ? lab_help(grammar, word, terminal) : "";
    return of_lab.empty() ? help_text(grammar, verb, terminal) : of_lab;
}

ExitCode print_help(const CommandLine& command) {
    const Grammar& grammar = *command.grammar;
    const Verb* const verb =
        command.operands.empty() ? nullptr : &verb_of(grammar, command.operands[0]);
    const std::string word = command.operands.size() > 1 ? command.operands[1] : "";
    // What follows a verb is one of its words, as in `snapshot save'.
    if (verb != nullptr && !word.empty()) {
        std::string words(verb->operands.substr(0, verb->operands.find(' ')));
        std::replace(words.begin(), words.end(), '|', ' ');
        if (words.find(' ') == std::string::npos || !is_among(words, word))
            throw UsageError(quoted_word(word) + " is no word of " + std::string(verb->name) +
                             (words.find(' ') == std::string::npos ? "" : ", which has: " + words));
    }
    print(help_for(grammar, verb, word, output_width()));
    return ExitCode::done;
}

ExitCode print_completion(const CommandLine& command) {
    const std::string& shell = command.operands[0];
    if (shell != "bash" && shell != "zsh")
        throw UsageError(quoted_word(shell) + " is neither bash nor zsh");
    print(shell == "bash" ? bash_completion(*command.grammar) : zsh_completion(*command.grammar));
    return ExitCode::done;
}

}  // namespace tapgate
