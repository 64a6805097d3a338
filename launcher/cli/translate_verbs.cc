// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/translate_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/cli/foreign_variables.h"
#include "launcher/cli/script_surroundings.h"
#include "launcher/foreign/appliance/image_import.h"
#include "launcher/foreign/legacy/config_file.h"
#include "launcher/foreign/legacy/translate.h"
#include "launcher/foreign/shell/qemu_script.h"
#include "launcher/foreign/translation/argv_diff.h"
#include "launcher/qemu/argv.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/run/host.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

// How QEMU is started: its command line, and the directory of its relative paths.
struct QemuStart {
    ShellCommand command;
    std::string directory;
};

// The text of a script; `-' is standard input, for a pipe, or to paste it.
std::string script_text(const std::string& path) {
    constexpr size_t most = 1024UL * 1024;
    if (path == "-") {
        if (isatty(STDIN_FILENO) != 0)
            note("paste the command line, and then press Enter and Ctrl-D");
        return read_standard_input(most);
    }
    auto text = read_file(path, most);
    if (!text)
        throw LauncherError(shown(path) + ": no such file");
    return std::move(*text);
}

QemuStart start_in_script(const std::string& path, const std::vector<std::string>& arguments) {
    const std::string text = script_text(path);
    const ScriptSurroundings here(std::filesystem::absolute(path).lexically_normal().string());
    const std::string name = path == "-" ? "standard input" : shown(path);
    QemuStart start{find_qemu_start(text, here, name, arguments), current_directory()};
    const std::string& there = start.command.directory;
    if (!there.empty())
        start.directory = there.starts_with('/') ? there : start.directory + "/" + there;
    return start;
}

QemuStart start_of_process(const std::string& word) {
    if (!parse_whole<pid_t>(word, 1))
        throw UsageError("--pid=" + shown(word) + ": not the number of a process");
    const std::string process = "/proc/" + word;
    const auto text = read_file(process + "/cmdline", 4UL * 1024 * 1024);
    if (!text)
        throw LauncherError("no process has the number " + word);
    if (text->empty())
        throw LauncherError("process " + word +
                            " has no command line: it has ended, or is part "
                            "of the kernel");
    QemuStart start;
    for (size_t at = 0; at < text->size();) {
        const size_t end = std::min(text->find('\0', at), text->size());
        start.command.words.push_back(text->substr(at, end - at));
        at = end + 1;
    }
    std::error_code unreadable;
    start.directory = std::filesystem::read_symlink(process + "/cwd", unreadable).string();
    if (unreadable) {
        start.directory = "/";
        note("process " + word + " is another user's: its relative paths are taken from /");
    }
    return start;
}

QemuStart start_told_by(const CommandLine& command) {
    const bool script = !command.operands.empty();
    const bool process = command.has("pid");
    const bool words = !command.rest.empty();
    if (process ? script || words : !script && !words)
        throw UsageError(
            "translate needs one of: a FILE (- is standard input), FILE -- ARGUMENTS of the "
            "script, --pid=N, -- COMMAND-LINE");
    if (script)
        return start_in_script(command.operands[0], command.rest);
    if (process)
        return start_of_process(command.option("pid"));
    QemuStart start;
    start.command.words = command.rest;
    start.directory = current_directory();
    return start;
}

// The same with the options in QEMU's configuration files in the place of -readconfig. Proxmox' own
// file describes places of devices only, and one that cannot be read is kept.
std::vector<std::string> with_config_files(const std::vector<std::string>& words,
                                           const std::string& directory) {
    std::vector<std::string> result;
    for (size_t i = 0; i < words.size(); i++) {
        const bool is_option = words[i] == "-readconfig" || words[i] == "--readconfig";
        const std::string file = is_option && i + 1 < words.size() ? words[i + 1] : "";
        const auto text =
            file.empty() || file.starts_with("/usr/share/qemu-server/")
                ? std::nullopt
                : readable_text(file.starts_with('/') ? file : directory + "/" + file);
        if (!text) {
            result.push_back(words[i]);
            continue;
        }
        const auto options = options_in_config_file(*text, shown(file));
        result.insert(result.end(), options.begin(), options.end());
        i++;
    }
    return result;
}

// The name that was asked for, or else the VM's own, or else that of its first disk.
VmName name_of_vm(const CommandLine& command, const Translation& translation) {
    if (command.has("create"))
        return parse_vm_name(command.option("create"));
    std::string name = translation.name;
    for (const auto& [key, value] : translation.settings) {
        if (name.empty() && key == "disk")
            name = fitting_name(
                std::filesystem::path(value.substr(0, value.find(','))).stem().string());
    }
    return parse_vm_name(name.empty() ? "vm" : name);
}

nlohmann::ordered_json json_of(const std::vector<DiffRow>& rows) {
    auto json = nlohmann::ordered_json::array();
    for (const DiffRow& row : rows)
        json.push_back({{"kind", name_of(row.note.kind)},
                        {"was", row.note.was},
                        {"argv", row.argv},
                        {"became", row.note.became},
                        {"why", row.note.why}});
    return json;
}

nlohmann::ordered_json json_of(const Translation& translation, const VmName& name,
                               const std::vector<Setting>& settings,
                               const std::vector<std::string>& argv, bool diff) {
    nlohmann::ordered_json json;
    json["name"] = name.str();
    json["settings"] = nlohmann::ordered_json::array();
    for (const Setting& setting : settings)
        json["settings"].push_back({{"key", setting.key}, {"value", setting.value}});
    json["notes"] = nlohmann::ordered_json::array();
    for (const TranslationNote& note : translation.notes)
        json["notes"].push_back({{"kind", name_of(note.kind)},
                                 {"was", note.was},
                                 {"became", note.became},
                                 {"why", note.why}});
    if (!argv.empty())
        json["argv"] = argv;
    if (diff)
        json["diff"] = json_of(argv_diff(translation, argv));
    return json;
}

// Writes the VM's file, and copies its UEFI variables: both, or neither.
void write_vm(const VmSpec& spec, const std::string& text,
              const std::optional<SourceImage>& variables) {
    require_new(spec.name);
    std::optional<ImageImport> images;
    if (variables) {
        const std::string target = uefi_variables_path(spec.name, spec.firmware);
        images.emplace(vm_data_directory(spec.name));
        images->import(*variables, target.substr(target.rfind('/') + 1), [](double) {});
    }
    write_new_vm_file(spec.name, text);
    if (images)
        images->keep();
    note(shown(vm_file_path(spec.name)) + " is written");
    if (variables)
        note("its UEFI variables are copied from " + shown(variables->path));
}

// Says which settings of the new VM are guesses: its network would not be there, or another one.
void note_guesses(const Translation& translation, const std::string& path) {
    const bool guessed = std::any_of(translation.notes.begin(), translation.notes.end(),
                                     [](const TranslationNote& one) { return one.is_guess; });
    if (guessed)
        note("its bridge br0 is a guess: what is known about it stands at the end of " +
             shown(path));
}

// Which disks, CD-ROMs and kernels are not on this host; empty if all are.
std::string not_here(const VmSpec& spec) {
    std::vector<std::string> paths;
    for (const Disk& disk : spec.disks)
        paths.push_back(disk.path.str());
    for (const HostPath& cdrom : spec.cdroms)
        paths.push_back(cdrom.str());
    for (const auto& boot : {spec.kernel, spec.initrd}) {
        if (boot)
            paths.push_back(boot->str());
    }
    for (const std::string& argument : spec.extra_arguments) {
        for (const std::string& word : split_at_commas(argument)) {
            constexpr std::string_view file = "file=";
            if (word.starts_with(file) && word.substr(file.size()).starts_with('/'))
                paths.push_back(word.substr(file.size()));
        }
    }
    std::erase_if(paths, [](const std::string& path) {
        return access(path.c_str(), F_OK) == 0 || errno != ENOENT;
    });
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    if (paths.empty())
        return {};
    constexpr size_t most = 3;
    std::string list;
    for (size_t i = 0; i < std::min(most, paths.size()); i++)
        list += (i == 0 ? "" : ", ") + shown(paths[i]);
    if (paths.size() > most)
        list += " and " + std::to_string(paths.size() - most) + " more";
    return "not on this host: " + list +
           ": before the VM starts, put them there, or say in its description where they are";
}

}  // namespace

ExitCode translate_vm(const CommandLine& command) {
    QemuStart start = start_told_by(command);
    start.command.words = with_config_files(start.command.words, start.directory);
    Translation translation = translate_qemu_command(start.command, start.directory);
    const VmName name = name_of_vm(command, translation);
    translation.rename(name.str());
    std::vector<Setting> settings = settings_of(translation, start.directory, command.settings);
    const VmDescription vm = describe_vm(name, settings);
    std::optional<SourceImage> variables;
    if (command.has("create")) {
        settings = with_machine_version(settings, vm.spec.machine);
        variables = named_variables(translation, vm.spec);
    }
    const std::string text = annotated_vm_file(name, settings, translation);
    std::vector<std::string> argv;
    if (command.has("argv") || command.has("diff"))
        argv = qemu_argv(vm.spec, host_facts(vm.spec), planned_fds(vm.spec, has_vhost()));
    // From here on: the settings describe a VM, and can be in a file.
    const std::string path = command.has("create") ? vm_file_path(name) : "";
    if (!path.empty()) {
        write_vm(vm.spec, text, variables);
        if (!variables && !translation.notes.empty() &&
            translation.notes.back().was == its_variables)
            note(note_text(translation.notes.back()));
        const auto& said = command.settings;
        if (std::none_of(said.begin(), said.end(),
                         [](const auto& one) { return one.key == "net"; }))
            note_guesses(translation, path);
    }
    if (const std::string said = not_here(vm.spec); !said.empty())
        note(said);
    if (const std::string said = nothing_to_boot(name, settings, path); !said.empty())
        note(said);
    if (command.has("json")) {
        try {
            print(json_of(translation, name, settings, argv, command.has("diff")).dump() + "\n");
        } catch (const nlohmann::json::type_error&) {
            throw LauncherError("--json: a value is not UTF-8");
        }
        return ExitCode::done;
    }
    print(command.has("diff") ? side_by_side(argv_diff(translation, argv)) : text);
    if (command.has("argv"))
        print(shell_text(argv) + "\n");
    return ExitCode::done;
}

}  // namespace tapgate
