// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/qemu_words.h"

#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// HOME=/var/lib/qemu, before a program.
bool is_assignment(std::string_view word) {
    const size_t length = shell_name_length(word);
    return length > 0 && length < word.size() && word[length] == '=';
}

bool is_qemu(std::string_view word) {
    const std::string_view name = is_assignment(word) ? std::string_view() : last_part(word);
    if (name.ends_with(':'))  // it is QEMU that says something, in a log
        return false;
    return name == "qemu" || (name == "kvm" && word != "/dev/kvm") || name == "qemu-kvm" ||
           name == "kvm-spice" || name.starts_with("qemu-system-");
}

// Programs that start the program that is given to them.
bool starts_others(std::string_view word) {
    constexpr std::array<std::string_view, 33> names = {
        "!",       "eval",   "{",       "args",        "chrt",    "command",  "do",
        "doas",    "elif",   "else",    "env",         "exec",    "firejail", "if",
        "ionice",  "nice",   "nohup",   "numactl",     "prlimit", "screen",   "setsid",
        "stdbuf",  "strace", "sudo",    "systemd-run", "taskset", "then",     "time",
        "timeout", "tmux",   "unshare", "vglrun",      "while"};
    return std::find(names.begin(), names.end(), last_part(word)) != names.end();
}

// Programs whose arguments are no command, or one for another host: to them, QEMU is a package, and
// `kvm' a group or a module.
bool only_names_others(std::string_view word) {
    constexpr std::array<std::string_view, 64> names = {
        ":",       "addgroup", "adduser", "apk",     "apt",      "apt-get", "aptitude", "brew",
        "cat",     "chgrp",    "chmod",   "chown",   "chroot",   "cp",      "dnf",      "docker",
        "echo",    "emerge",   "find",    "getcap",  "getent",   "gpasswd", "grep",     "groupadd",
        "insmod",  "install",  "kill",    "killall", "ldd",      "ln",      "ls",       "lsmod",
        "lsof",    "lxc",      "man",     "modinfo", "modprobe", "mv",      "pacman",   "pgrep",
        "pidof",   "pkill",    "podman",  "printf",  "ps",       "rm",      "rmmod",    "rpm",
        "service", "setcap",   "setfacl", "sg",      "ssh",      "stat",    "su",       "systemctl",
        "top",     "type",     "useradd", "usermod", "whereis",  "which",   "yum",      "zypper"};
    return is_one_of(last_part(word), names);
}

// A name that users, groups and modules have, too.
bool is_ambiguous(std::string_view word) {
    return word == "kvm" || word == "qemu";
}

bool is_option_of_wrapper(std::string_view word) {
    return word.starts_with('-') && word != "--";
}

// An option, a variable or a number: programs that start others take these before the others'
// names.
bool is_plain(std::string_view word) {
    return word.starts_with('-') || word.find('=') != std::string::npos ||
           word.find_first_not_of("0123456789.smh") == std::string::npos;
}

// The place of the first word that starts no other program; past the end if there is none.
size_t program_among(const std::vector<std::string>& words) {
    size_t place = 0;
    while (place < words.size() &&
           (starts_others(words[place]) || (place > 0 && is_plain(words[place]))))
        place++;
    return place;
}

// The program by which Debian's init scripts start and stop others.
bool is_daemon_starter(std::string_view word) {
    return last_part(word) == "start-stop-daemon";
}

bool stops_daemon(const std::vector<std::string>& words) {
    return std::any_of(words.begin(), words.end(), is_daemon_starter) &&
           std::any_of(words.begin(), words.end(), [](const std::string& word) {
               return word == "--stop" || word == "-K" || word == "--status" || word == "-T";
           });
}

// start-stop-daemon --exec PROGRAM
bool names_program(std::string_view option) {
    return option == "--exec" || option == "-x" || option == "--startas";
}

// The place of the last word that is QEMU's name, and no option's value; 0 if there is none.
size_t certain_among(const std::vector<std::string>& words) {
    for (size_t i = words.size(); i-- > 1;) {
        if (is_qemu(words[i]) && !is_ambiguous(words[i]) &&
            (names_program(words[i - 1]) || !is_option_of_wrapper(words[i - 1])))
            return i;
    }
    return 0;
}

}  // namespace

std::string_view started_program(const std::vector<std::string>& words) {
    const size_t place = program_among(words);
    return place < words.size() ? std::string_view(words[place]) : std::string_view();
}

std::string of_other_hypervisor(std::string_view word) {
    constexpr std::array<std::string_view, 8> others = {
        "bhyve", "cloud-hypervisor", "crosvm", "firecracker", "lkvm", "limactl", "tart", "xhyve"};
    constexpr std::array<std::string_view, 3> desktops = {"VBoxHeadless", "VBoxManage", "vmrun"};
    const std::string_view name = last_part(word);
    std::string way_out;
    if (is_one_of(name, others))
        way_out = "make a VM of its disk with `tapgate create NAME --disk=PATH ...'";
    else if (is_one_of(name, desktops))
        way_out = "export the VM as an OVA, for `tapgate import vm.ova'";
    else if (name == "xl" || name == "xm")
        way_out = std::string(of_xen);
    else if (name == "qm")
        way_out = "give the output of `qm showcmd NUMBER' instead";
    return way_out.empty() ? "" : quoted_word(name) + " is not QEMU: " + way_out;
}

std::string no_qemu(std::string_view word) {
    const std::string_view name = last_part(word);
    std::string way_out = "; give a command line that begins with QEMU's name";
    constexpr std::array<std::string_view, 3> programs = {"qemu-kvm-", "qemu-system-", "kvm-"};
    constexpr std::array<std::string_view, 4> others = {"kvm-img", "kvm-io", "kvm-nbd", "kvm-ok"};
    if (!is_one_of(name, others) &&
        std::any_of(programs.begin(), programs.end(),
                    [&](std::string_view program) { return name.starts_with(program); }))
        way_out = ": are the blanks before its options missing?";
    else if (name.starts_with("virsh"))
        way_out = "; `virsh dumpxml VM >vm.xml' writes a file for `tapgate import vm.xml'";
    else if (name.starts_with("virt-install"))
        way_out =
            "; `virsh dumpxml VM >vm.xml' of the VM that it has made, or `virt-install --print-xml "
            "... >vm.xml', writes a file for `tapgate import vm.xml'";
    return quoted_word(word) + " is not QEMU" + way_out;
}

std::vector<std::string>::const_iterator find_qemu(const std::vector<std::string>& words) {
    if (words.empty() || is_qemu(words[0]))
        return words.begin();
    if (stops_daemon(words))
        return words.end();
    const size_t program = program_among(words);
    const size_t certain = certain_among(words);
    for (size_t i = 1; i < words.size(); i++) {
        const bool has_options = i + 1 < words.size() && words[i + 1].starts_with('-');
        // In `sudo -u kvm qemu-system-x86_64' and `sudo chgrp kvm /dev/kvm', it is a user and a
        // group.
        const bool is_another =
            is_ambiguous(words[i]) &&
            ((is_option_of_wrapper(words[i - 1]) && certain > i) || (!has_options && program < i));
        if (!is_qemu(words[i]) || is_another)
            continue;
        // After an unknown word, such as a function of the script, it has to have options.
        const bool named = program < i && only_names_others(words[program]);
        return !named && (starts_others(words[0]) || has_options)
                   ? words.begin() + static_cast<std::ptrdiff_t>(i)
                   : words.end();
    }
    return words.end();
}

std::string qemu_at_end(std::string_view written) {
    constexpr std::array<std::string_view, 3> names = {"qemu-system-x86_64", "qemu-system-i386",
                                                       "qemu-kvm"};
    if (written.ends_with('"') || written.ends_with('\''))
        written.remove_suffix(1);
    const size_t before = written.find_last_of("/}\"'");
    const std::string_view name =
        before == std::string_view::npos ? std::string_view() : written.substr(before + 1);
    return is_one_of(name, names) ? std::string(name) : std::string();
}

std::vector<std::string>::const_iterator arguments_of_qemu(
    const std::vector<std::string>& words, std::vector<std::string>::const_iterator qemu) {
    const bool daemon = std::any_of(words.begin(), qemu, is_daemon_starter);
    // Its own options may come after the program's name.
    const auto end = daemon ? std::find(qemu, words.end(), "--") : words.end();
    return (end == words.end() ? qemu : end) + 1;
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
