// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/qemu_words.h"

#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"

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
    constexpr std::array<std::string_view, 22> names = {
        ":",      "apt",  "apt-get", "cat",  "chroot", "dnf",   "docker", "echo",
        "grep",   "kill", "killall", "lxc",  "man",    "pgrep", "pkill",  "podman",
        "printf", "ps",   "ssh",     "type", "which",  "yum"};
    return is_one_of(last_part(word), names);
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

bool is_start_of_qemu(const std::vector<std::string>& words) {
    const auto qemu = find_qemu(words);
    if (qemu == words.end() || qemu + 1 == words.end())
        return false;
    return std::none_of(qemu + 1, words.end(), [&](const std::string& word) {
        constexpr std::array<std::string_view, 8> questions = {
            "-h", "-help", "--help", "-version", "--version", "help", "?", "-V"};
        return is_one_of(word, questions) || word.ends_with(",help") || word.ends_with("=help");
    });
}

}  // namespace tapgate
