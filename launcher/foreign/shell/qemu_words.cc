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

// Programs whose words are no command, or one for another host: QEMU is a package to them, `kvm' a
// group or a module.
bool only_names_others(std::string_view word) {
    constexpr std::array<std::string_view, 59> names = {
        ":",       "addgroup", "adduser", "apk",       "apt",     "apt-get", "aptitude", "brew",
        "cat",     "chgrp",    "chmod",   "chown",     "chroot",  "cp",      "dnf",      "docker",
        "echo",    "emerge",   "getcap",  "getent",    "gpasswd", "grep",    "groupadd", "insmod",
        "install", "kill",     "killall", "ln",        "ls",      "lsmod",   "lxc",      "man",
        "modinfo", "modprobe", "mv",      "pacman",    "pgrep",   "pidof",   "pkill",    "podman",
        "printf",  "ps",       "rm",      "rmmod",     "rpm",     "service", "setcap",   "setfacl",
        "sg",      "ssh",      "su",      "systemctl", "type",    "useradd", "usermod",  "whereis",
        "which",   "yum",      "zypper"};
    return is_one_of(last_part(word), names);
}

// A name that users, groups and modules have as well.
bool is_ambiguous(std::string_view word) {
    return word == "kvm" || word == "qemu";
}

bool is_option_of_wrapper(std::string_view word) {
    return word.starts_with('-') && word != "--";
}

using Word = std::vector<std::string>::const_iterator;

// What the words in front of QEMU's name say.
struct Before {
    bool only_named = false;  // it is a word of a program that does not start it
    bool direct = true;       // only programs that start others, and options, are there
};

Before look_before(Word begin, Word qemu) {
    Before before;
    for (Word word = begin; word != qemu; ++word) {
        const bool plain = word->starts_with('-') || word->find('=') != std::string::npos ||
                           word->find_first_not_of("0123456789.smh") == std::string::npos;
        if (word != begin && plain)
            continue;
        before.only_named = only_names_others(*word);
        before.direct = starts_others(*word);
        if (!before.direct)
            break;
    }
    return before;
}

// `sudo -u kvm qemu-system-x86_64', `sudo chgrp kvm /dev/kvm': a user, and a group.
bool is_another(Word begin, Word word, Word end) {
    if (!is_ambiguous(*word))
        return false;
    bool program_follows = false;
    for (Word other = word + 1; other != end; ++other)
        program_follows = program_follows || (is_qemu(*other) && !is_ambiguous(*other) &&
                                              !is_option_of_wrapper(*(other - 1)));
    const bool has_options = word + 1 != end && (word + 1)->starts_with('-');
    return (is_option_of_wrapper(*(word - 1)) && program_follows) ||
           (!has_options && !look_before(begin, word).direct);
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
    Word qemu = std::find_if(words.begin(), words.end(), is_qemu);
    while (qemu != words.end() && is_another(words.begin(), qemu, words.end()))
        qemu = std::find_if(qemu + 1, words.end(), is_qemu);
    if (qemu == words.end() || look_before(words.begin(), qemu).only_named)
        return words.end();
    // Behind a word that nobody knows, as a function of the script: where it has options.
    const bool has_options = qemu + 1 != words.end() && (qemu + 1)->starts_with('-');
    return starts_others(words[0]) || has_options ? qemu : words.end();
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
