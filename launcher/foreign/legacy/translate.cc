// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy/translate.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/translation/kept_places.h"
#include "launcher/foreign/translation/properties.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

void take_program(LegacyParts& parts, const std::string& word) {
    const std::string_view name = last_part(word);
    constexpr std::string_view prefix = "qemu-system-";
    if (name.ends_with(".exe") || (name.starts_with(prefix) && name.ends_with("w")))
        throw LauncherError(quoted_word(word) + ": " + of_windows);
    if (name.starts_with(prefix) && is_unknown(name))
        throw LauncherError(quoted_word(word) +
                            ": only the shell knew which machine it is for; write the name out");
    if (name.starts_with(prefix) && name != "qemu-system-x86_64" && name != "qemu-system-i386" &&
        !name.starts_with("qemu-system-x86_64-"))
        throw LauncherError(quoted_word(word) +
                            ": tapgate only runs PCs, and this is another kind of machine");
    if (name == "qemu-system-x86_64")
        return;
    parts.result.changed(word, "qemu-system-x86_64",
                         name == "qemu-system-i386" || name == "qemu"
                             ? "it runs 32-bit guests as well"
                             : "with KVM where /dev/kvm can be opened");
}

// Notes what the shell did around the command.
void add_surroundings(LegacyParts& parts, const ShellCommand& command) {
    Translation& result = parts.result;
    for (const auto& [name, value] : command.environment)
        result.dropped(std::string(name).append("=").append(value),
                       "tapgate gives QEMU an environment of its own");
    if (!parts.around.empty()) {
        const bool root =
            last_part(parts.around[0]) == "sudo" || last_part(parts.around[0]) == "doas";
        result.dropped(shell_text(parts.around),
                       root ? "tapgate needs no root rights" : "tapgate starts QEMU itself");
    }
    for (const std::string& redirection : command.redirections) {
        const size_t way = std::min(redirection.find_first_of("<>"), redirection.size());
        result.dropped(redirection, redirection.substr(way).starts_with('<')
                                        ? "tapgate gives QEMU nothing to read"
                                        : "what QEMU says is in qemu.log in the VM's directory");
    }
    for (const std::string& option : command.cut_off)
        result.dropped(option,
                       "a comment ends QEMU's command line before this, so a shell would run it as "
                       "a command of its own");
    for (const std::string& note : command.notes) {
        const bool is_variable = note.size() > 1 && note[0] == '$' &&
                                 shell_name_length(std::string_view(note).substr(1)) > 0;
        result.dropped(note, is_variable ? "nothing sets it here, so it adds nothing"
                                         : "it has a meaning only when a shell runs the script");
    }
    for (const auto& [asked, printed] : command.of_host)
        result.changed(
            asked, printed,
            "this host has so many processors for it: where the script ran, it may have been "
            "another number");
    if (command.is_joined)
        result.changed("lines that end without \\", "one command line",
                       "the text was wrapped there");
    const std::string started = command.has_arguments
                                    ? "when it is started here with these arguments"
                                    : "when it is started here without arguments";
    for (const auto& [test, holds] : command.tests)
        result.changed(test, holds ? "yes" : "no", "that is how the script goes " + started);
    for (const std::string& end : command.ends)
        result.dropped(
            end, "the script would end there " + started + ": what it looks for is taken as found");
    for (const std::string& other : command.others)
        result.dropped(other, "the script does not get there " + started);
    for (const unsigned line : command.written)
        result.dropped("line " + std::to_string(line),
                       "it starts another VM, in a file that the script writes: if you mean that "
                       "one, copy it into a file of its own");
    if (command.is_list)
        result.changed("the list in line " + std::to_string(command.line), "this VM",
                       "its paths are those where the list is used, such as in a container");
    if (command.is_written)
        result.changed("line " + std::to_string(command.line), "this VM",
                       "it is in a file that the script writes");
    if (command.background)
        result.dropped(
            "&", "`tapgate start' always runs a VM in the background, where it outlives the shell");
}

bool can_be_parsed(const std::vector<std::string>& words) {
    try {
        parse_legacy_options(words);
        return true;
    } catch (const LauncherError&) {
        return false;
    }
}

// A variable that nothing sets adds no option; but an option's value must not be left out. `first`
// is the index of QEMU's first argument.
void add_absent(LegacyParts& parts, const ShellCommand& command, size_t first) {
    const auto begin = command.words.begin();
    for (const auto& [place, name] : command.absent) {
        if (command.words.size() == first)
            throw LauncherError(
                quoted_word(command.words.back() + " $" + name) + ": nothing sets " + shown(name) +
                " here, so that QEMU gets no options: write out what it stands for");
        std::vector<std::string> before(begin + static_cast<std::ptrdiff_t>(first),
                                        begin + static_cast<std::ptrdiff_t>(place));
        if (can_be_parsed(before)) {
            parts.result.dropped("$" + name, "nothing sets it here, so it adds no options");
            continue;
        }
        const std::string option = before.back();
        before.emplace_back("value");
        if (can_be_parsed(before))
            throw LauncherError(quoted_word(option + " $" + name) + ": nothing sets " +
                                shown(name) + " here; write out what it stands for");
    }
}

std::string reason_of_unknown(const ShellCommand& command) {
    std::string variables;
    for (const std::string& name : command.unknown)
        variables += (variables.empty() ? "; variables: " : ", ") + shown(name);
    return "the value of " + std::string(unknown_text) +
           " is known only to the shell that ran it (the output of a command, a random number, a % "
           "specifier of systemd" +
           variables + "); write it out";
}

// Values that only a shell knows may appear in what is dropped, and nowhere else.
void require_known(const Translation& translation, const ShellCommand& command) {
    for (const auto& [key, value] : translation.settings) {
        if (value.find(unknown_text) != std::string::npos)
            throw LauncherError(quoted_word(key + " = " + value) + ": " +
                                reason_of_unknown(command));
    }
}

// For -m '$(...)', the error says that the value is not known, rather than that it is no number.
void take_option(LegacyParts& parts, const LegacyOption& option, const ShellCommand& command) {
    if (!option.unknown.empty()) {
        parts.result.dropped(option.text, option.unknown);
    } else if (option.kind == nullptr && option.value == unknown_text) {
        throw LauncherError(option.text +
                            " may stand for any options: " + reason_of_unknown(command));
    } else if (option.kind == nullptr) {
        take_disk(parts, option);
    } else {
        try {
            option.kind->handler(parts, option);
        } catch (const LauncherError&) {
            if (option.value.find(unknown_text) == std::string::npos)
                throw;
            throw LauncherError(option.text + ": " + reason_of_unknown(command));
        }
    }
}

// QEMU takes one word that is no option, as if -hda were before it.
void require_one_operand(const std::vector<LegacyOption>& options) {
    const bool has_first = std::any_of(options.begin(), options.end(), [](const auto& one) {
        return one.kind != nullptr && one.kind->name == "hda";
    });
    const std::string* first = nullptr;
    for (const LegacyOption& option : options) {
        // A word whose value is unknown gets another error.
        if (option.kind != nullptr || !option.unknown.empty() ||
            option.value.find(unknown_text) != std::string::npos)
            continue;
        require_name_of_disk(option.value);
        if (has_first || first != nullptr)
            throw LauncherError(
                (first != nullptr
                     ? quoted_word(*first) + " and " + quoted_word(option.value) +
                           " are not options, and QEMU takes only one such word, as its first disk"
                     : quoted_word(option.value) + " is not an option, so QEMU would take it as "
                                                   "its first disk, but -hda is that already") +
                ": have quotes been lost, as in the output of `ps', or is an option's name "
                "missing?");
        first = &option.value;
    }
}

// An option may lack the value that an argument of the script would be: -hda "$@".
std::vector<LegacyOption> parse_options(const ShellCommand& command,
                                        const std::vector<std::string>& words) {
    try {
        return parse_legacy_options(words);
    } catch (const LauncherError& error) {
        const bool asks =
            std::any_of(command.notes.begin(), command.notes.end(),
                        [](const std::string& note) { return note == "$@" || note == "$*"; });
        if (!asks || command.has_arguments)
            throw;
        throw LauncherError(std::string(error.what()) + "; give the script its arguments after --");
    }
}

// QEMU makes one option of several -smp, -rtc and the like, in which the last of a property counts.
void merge_repeated(std::vector<LegacyOption>& options, std::string_view name,
                    std::string_view first_key) {
    LegacyOption* before = nullptr;
    for (LegacyOption& option : options) {
        if (option.kind == nullptr || option.kind->name != name)
            continue;
        if (before != nullptr) {
            Properties all = Properties::parse(before->value, first_key);
            const Properties more = Properties::parse(option.value, first_key);
            for (const auto& [key, value] : more.all())
                all.set(key, value);
            option.value = all.str(first_key);
            option.text = before->text + " " + option.text;
            before->text.clear();
        }
        before = &option;
    }
    std::erase_if(options, [](const LegacyOption& option) { return option.text.empty(); });
}

// Of these, QEMU takes the last one only.
void drop_earlier(LegacyParts& parts, std::vector<LegacyOption>& options) {
    constexpr std::array<std::string_view, 7> single = {"append", "cpu",  "initrd", "k",
                                                        "kernel", "uuid", "vga"};
    std::set<std::string_view> seen;
    for (auto option = options.rbegin(); option != options.rend(); ++option) {
        const std::string_view name =
            option->kind == nullptr ? std::string_view() : option->kind->name;
        if (!is_one_of(name, single) || seen.insert(name).second)
            continue;
        parts.result.dropped(option->text, "a later one replaces it");
        option->text.clear();
    }
    std::erase_if(options, [](const LegacyOption& option) { return option.text.empty(); });
}

bool has_setting(const LegacyParts& parts, std::string_view key) {
    return std::any_of(parts.result.settings.begin(), parts.result.settings.end(),
                       [&](const auto& setting) { return setting.first == key; });
}

void drop_orphans(LegacyParts& parts) {
    for (const char* const key : {"initrd", "append"}) {
        if (!has_setting(parts, key) || has_setting(parts, "kernel") || parts.partial)
            continue;
        std::erase_if(parts.result.settings,
                      [&](const auto& setting) { return setting.first == key; });
        for (TranslationNote& note : parts.result.notes) {
            if (note.became.starts_with(std::string(key) + " = "))
                note = {TranslationNote::Kind::dropped,
                        note.was,
                        {},
                        "it only works with a kernel, and none is given"};
        }
    }
}

// Notes what every VM here has or lacks, other than QEMU by default, unless the command line
// mentions it; then a note of its own says it.
void note_what_all_have(LegacyParts& parts, const std::vector<LegacyOption>& options) {
    struct Own {
        std::string_view word;  // what to look for in the options
        std::string_view what;
    };
    static constexpr Own own[] = {{"guest_agent", "the guest agent's channel"},
                                  {"virtio-rng", "a random number generator"},
                                  {"balloon", "a balloon"},
                                  {"tablet", "a USB tablet"},
                                  {"hpet", "no HPET"},
                                  {"vmport", "no vmport"},
                                  {"disable_s3", "no sleep states"},
                                  {"-nodefaults", "no empty drives or parallel port"}};
    if (parts.partial)
        return;
    if (!has_setting(parts, "cpu"))
        parts.result.added("cpu = auto",
                           "no CPU model is given: with KVM the guest has the host's CPU, while "
                           "QEMU's default is qemu64 (for that: cpu = qemu64)");
    const bool has_screen = std::none_of(
        parts.result.settings.begin(), parts.result.settings.end(),
        [](const auto& one) { return one.first == "display" && one.second == "none"; });
    std::string all;
    for (const Own& one : own) {
        const bool said = std::any_of(options.begin(), options.end(), [&](const auto& option) {
            return option.text.find(one.word) != std::string::npos;
        });
        if (!said && (has_screen || one.word != "tablet"))
            all.append(all.empty() ? "" : ", ").append(one.what);
    }
    if (!all.empty())
        parts.result.added(all, "all of tapgate's VMs are like this");
}

}  // namespace

Translation translate_qemu_command(const ShellCommand& command, const std::string& directory) {
    LegacyParts parts;
    parts.machine.directory = directory;
    parts.images = command.images;
    const auto& words = command.words;
    if (words.empty())
        throw LauncherError("there is no command line");
    if (words.size() > most_words)
        throw LauncherError("a command line with more than " + std::to_string(most_words) +
                            " words");
    auto first = words.begin();
    if (words[0].starts_with('-')) {
        // This is a part of a command line, as copied from a list of processes.
        parts.partial = parts.nets.partial = true;
    } else {
        first = find_qemu(words);
        if (first == words.end())
            throw LauncherError(no_qemu(words[0]));
        const auto qemu = first;
        take_program(parts, *qemu);
        first = arguments_of_qemu(words, qemu);
        parts.around.assign(words.begin(), qemu);
        parts.around.insert(parts.around.end(), qemu + 1, first);
    }
    add_absent(parts, command, static_cast<size_t>(first - words.begin()));
    std::vector<LegacyOption> options = parse_options(command, {first, words.end()});
    merge_repeated(options, "smp", "cpus");
    merge_repeated(options, "rtc", "base");
    merge_repeated(options, "m", "size");
    merge_repeated(options, "boot", "order");
    merge_repeated(options, "name", "guest");
    drop_earlier(parts, options);
    require_one_operand(options);
    count_plugged_cpus(parts, options);
    if (!parts.partial)
        parts.nets.default_slot = place_on_pc(options);
    for (const LegacyOption& option : options)
        take_option(parts, option, command);
    // By now each option has a note, or waits for the others that it belongs to.
    add_machine(parts);
    add_memory(parts);
    translate_disks(parts);
    translate_nets(parts);
    add_devices(parts);
    add_iscsi(parts);
    add_display(parts);
    fit_pointers(parts.result);
    parts.boot.finish(parts.result);
    place_kept_devices(parts.machine, parts.result);
    drop_orphans(parts);
    require_known(parts.result, command);
    note_what_all_have(parts, options);
    if (parts.places > 0)
        parts.result.dropped(
            std::to_string(parts.places) +
                (parts.places == 1 ? " place of a device" : " places of devices") +
                " (bus=, addr=, multifunction=)",
            "tapgate gives each device its place" +
                (parts.nets.slot_name.empty()
                     ? ""
                     : "; where Linux calls an adapter after its slot (" + parts.nets.slot_name +
                           "), it may have another name now"));
    add_surroundings(parts, command);
    // A qemu-arg comes after everything else.
    std::stable_partition(parts.result.settings.begin(), parts.result.settings.end(),
                          [](const auto& setting) { return setting.first != "qemu-arg"; });
    return std::move(parts.result);
}

}  // namespace tapgate
