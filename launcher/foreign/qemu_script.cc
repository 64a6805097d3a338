// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/qemu_script.h"
#include "launcher/foreign/words.h"

#include <algorithm>
#include <array>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

bool is_qemu(std::string_view word) {
    const std::string_view name = last_part(word);
    return name == "qemu" || (name == "kvm" && word != "/dev/kvm") || name == "qemu-kvm" ||
           name == "kvm-spice" || name.starts_with("qemu-system-");
}

// Programs that start the program that they are given.
bool starts_others(std::string_view word) {
    constexpr std::array<std::string_view, 33> names = {
        "!",       "eval",   "{",       "args",        "chrt",    "command",  "do",
        "doas",    "elif",   "else",    "env",         "exec",    "firejail", "if",
        "ionice",  "nice",   "nohup",   "numactl",     "prlimit", "screen",   "setsid",
        "stdbuf",  "strace", "sudo",    "systemd-run", "taskset", "then",     "time",
        "timeout", "tmux",   "unshare", "vglrun",      "while"};
    return std::find(names.begin(), names.end(), last_part(word)) != names.end();
}

// Programs whose words are no command, or one for another host.
bool only_names_others(std::string_view word) {
    constexpr std::array<std::string_view, 21> names = {
        "apt",    "apt-get", "cat",     "chroot", "dnf",  "docker", "echo",
        "grep",   "kill",    "killall", "lxc",    "man",  "pgrep",  "pkill",
        "podman", "printf",  "ps",      "ssh",    "type", "which",  "yum"};
    return is_one_of(last_part(word), names);
}

// libvirt sets these in front of each QEMU that it starts, and logs them.
bool is_of_libvirt(const ShellCommand& command) {
    return std::any_of(command.environment.begin(), command.environment.end(),
                       [](const auto& variable) {
                           return variable.first == "LC_ALL" || variable.first == "QEMU_AUDIO_DRV";
                       }) &&
           std::any_of(command.environment.begin(), command.environment.end(),
                       [](const auto& variable) { return variable.first == "PATH"; });
}

std::string name_of_guest(const ShellCommand& command) {
    const auto name = std::find(command.words.begin(), command.words.end(), "-name");
    if (name == command.words.end() || name + 1 == command.words.end())
        return {};
    const std::string word = (name + 1)->substr(0, (name + 1)->find(','));
    return word.starts_with("guest=") ? word.substr(word.find('=') + 1) : word;
}

// Starts of one VM in a log.
bool are_of_one_log(const std::vector<const ShellCommand*>& commands) {
    return std::all_of(commands.begin(), commands.end(), [&](const ShellCommand* one) {
        return is_of_libvirt(*one) && name_of_guest(*one) == name_of_guest(*commands[0]);
    });
}

}  // namespace

std::string no_qemu(std::string_view word) {
    const std::string_view name = last_part(word);
    std::string way_out = "; give a command line from QEMU's name on";
    if (name.starts_with("qemu") || name.starts_with("kvm"))
        way_out = ": have the blanks in front of its options been lost?";
    else if (name.starts_with("virsh"))
        way_out = "; `virsh dumpxml VM >vm.xml' writes what `tapgate import vm.xml' takes";
    else if (name.starts_with("virt-install"))
        way_out =
            "; `virt-install --print-xml ... >vm.xml' writes what `tapgate import vm.xml' takes";
    return quoted_word(word) + " is no QEMU" + way_out;
}

std::vector<std::string>::const_iterator find_qemu(const std::vector<std::string>& words) {
    if (words.empty() || is_qemu(words[0]))
        return words.begin();
    const auto qemu = std::find_if(words.begin(), words.end(), is_qemu);
    // Behind a word that nobody knows, as a function of the script: where it has options.
    const bool behind_unknown = qemu != words.end() && qemu + 1 != words.end() &&
                                (qemu + 1)->starts_with('-') && !only_names_others(words[0]);
    return starts_others(words[0]) || behind_unknown ? qemu : words.end();
}

ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source) {
    std::vector<const ShellCommand*> found;
    for (const ShellCommand& command : commands) {
        const auto qemu = find_qemu(command.words);
        if (qemu != command.words.end() && qemu + 1 != command.words.end())
            found.push_back(&command);
    }
    // Part of a command line.
    if (found.empty() && commands.size() == 1 && !commands[0].words.empty() &&
        commands[0].words[0].starts_with('-'))
        found.push_back(commands.data());
    if (found.empty()) {
        std::string hint;
        const std::string_view file = last_part(source);
        if (file == "Makefile" || file == "makefile" || file.ends_with(".mk"))
            hint = ": `make -n TARGET' prints the one that it runs";
        for (const char* const imported : {".xml", ".ova", ".ovf", ".tar"}) {
            if (source.ends_with(imported))
                hint = ": `tapgate import' takes it";
        }
        for (const ShellCommand& command : commands) {
            const std::string_view name =
                command.words.empty() ? std::string_view() : last_part(command.words[0]);
            if (name.starts_with("qemu-") || name == "virt-install")
                hint = ": " + no_qemu(command.words[0]);
            for (const std::string& word : command.words) {
                if (word.find("qemu-system-") != std::string::npos && word.ends_with(".exe"))
                    hint = std::string(": ") + of_windows;
            }
            if (name == "scsihw:" || name == "ostype:")
                hint = ": it is Proxmox' file of a VM: give what `qm showcmd NUMBER' prints there";
        }
        throw LauncherError(source + ": no command line of QEMU's in it" + hint);
    }
    if (found.size() > 1 && are_of_one_log(found))
        found.erase(found.begin(), found.end() - 1);
    if (found.size() > 1) {
        std::string lines;
        for (const ShellCommand* command : found)
            lines += (lines.empty() ? "" : ", ") + std::to_string(command->line);
        throw LauncherError(source + ": starts QEMU more than once (lines " + shown(lines) +
                            "); make a file of the one that is meant");
    }
    if (!found[0]->problem.empty())
        throw LauncherError(source + ": " + found[0]->problem +
                            " means something to a shell only; write out what it stands for");
    return *found[0];
}

}  // namespace tapgate
