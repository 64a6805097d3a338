// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/argv_diff.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

// An option of the new command line with its value, and the reason for it: a setting ("memory",
// "disk 1"), or tapgate's own.
struct Group {
    std::vector<std::string> words;
    std::string owner;
    bool taken = false;
};

constexpr std::string_view own = "#";
// A controller or a port, which is there for what comes next.
constexpr std::string_view of_next = "next";

// "disk 1" for `"id":"disk1"' and `"node-name":"disk1-image"'.
std::string numbered_owner(std::string_view value) {
    for (const std::string_view kind : {"disk", "cdrom", "net"}) {
        for (const std::string_view before : {"\"", "id="}) {
            const std::string word = std::string(before) + std::string(kind);
            for (size_t at = value.find(word); at != std::string_view::npos;
                 at = value.find(word, at + 1)) {
                std::string_view rest = value.substr(at + word.size());
                const size_t digits = rest.find_first_not_of("0123456789");
                if (digits == 0 || digits == std::string_view::npos)
                    continue;
                const std::string_view end = rest.substr(digits);
                if (end.front() == '"' || end.front() == ',' || end.starts_with("-image"))
                    return std::string(kind) + " " + std::string(rest.substr(0, digits));
            }
        }
    }
    return {};
}

struct Row {
    std::string_view option;
    std::string_view part;  // of the option's value
    std::string_view owner;
};

// How tapgate writes its command lines (qemu/argv.cc). The first row that fits counts.
constexpr Row rows[] = {
    {"-machine", "", "machine"},
    {"-accel", "", "accel"},
    {"-cpu", "", "cpu"},
    {"-smp", "", "cpus"},
    {"-m", "", "memory"},
    {"-kernel", "", "kernel"},
    {"-initrd", "", "initrd"},
    {"-append", "", "append"},
    {"-vnc", "", "display"},
    {"-display", "", "display"},
    {"-object", "\"vnc-password\"", "display"},
    {"-device", "\"vga0\"", "display"},
    {"-device", "\"usb0", "display"},
    {"-blockdev", "\"uefi-", "firmware"},
    {"-global", "cfi.pflash01", "firmware"},
    {"-fsdev", "id=share", "share"},
    {"-device", "\"virtio-9p-pci\"", "share"},
    {"-device", "\"vhost-user-fs-pci\"", "share"},
    {"-chardev", "id=share", "share"},
    {"-object", "\"memory-backend-memfd\"", "share"},
    {"-name", "", "#the name of the VM's file"},
    {"-uuid", "", "#the same at each start, and for no other VM"},
    {"-no-user-config", "", "#only the devices on this command line"},
    {"-nodefaults", "", "#only the devices on this command line"},
    {"-rtc", "", "#the guest's clock keeps up with the host's"},
    {"-global", "lost_tick_policy", "#the guest's clock keeps up with the host's"},
    {"-global", "disable_s", "#nobody could wake a guest that sleeps"},
    {"-boot", "", "#the guest boots from nothing else"},
    {"-chardev", "id=console,", "console"},
    {"-device", "\"console\"", "console"},
    {"-chardev", "id=agent,", "#the guest agent's channel"},
    {"-device", "\"serial0", "#the guest agent's channel"},
    {"-chardev", "", "#how tapgate's verbs talk to QEMU"},
    {"-qmp", "", "#how tapgate's verbs talk to QEMU"},
    {"-device", "\"rng0\"", "#random numbers for the guest from its start"},
    {"-device", "\"balloon0\"", "#returns memory to the host that the guest has freed"},
    {"-device", "\"spare", "#slots for devices that are plugged in later"},
    {"-device", "\"pcie-root-port\"", of_next},
    {"-device", "\"scsi0\"", of_next},
    {"-device", "\"sata0\"", of_next},
    {"-sandbox", "", "#limits what a guest that breaks out of QEMU can do"},
    {"-msg", "", "#times in qemu.log"},
    {"-pidfile", "", "#where tapgate finds the VM's QEMU"},
};

std::string owner_of(const std::vector<std::string>& words) {
    const std::string& option = words.front();
    const std::string_view value = words.size() > 1 ? words[1] : std::string_view();
    if (option == "-blockdev" || option == "-device" || option == "-netdev" || option == "-drive") {
        if (std::string owner = numbered_owner(value); !owner.empty())
            return owner;
    }
    const auto* const row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& one) {
        return one.option == option && value.find(one.part) != std::string_view::npos;
    });
    return row == std::end(rows) ? std::string(own) : std::string(row->owner);
}

// Without QEMU's name, and without the last `kept` words, which are those that are kept.
std::vector<Group> groups_of(const std::vector<std::string>& argv, size_t kept) {
    std::vector<Group> groups;
    for (size_t at = 1; at + kept < argv.size();) {
        Group group;
        group.words.push_back(argv[at++]);
        while (at + kept < argv.size() && !argv[at].starts_with('-'))
            group.words.push_back(argv[at++]);
        group.owner = owner_of(group.words);
        groups.push_back(std::move(group));
    }
    for (size_t i = groups.size(); i-- > 0;) {
        if (groups[i].owner == of_next)
            groups[i].owner = i + 1 < groups.size() ? groups[i + 1].owner : std::string(own);
    }
    return groups;
}

class Differ {
  public:
    Differ(const Translation& translation, const std::vector<std::string>& argv)
        : translation_(translation) {
        for (const auto& [key, value] : translation.settings)
            kept_ += key == "qemu-arg" ? 1U : 0U;
        kept_ = std::min(kept_, argv.empty() ? 0 : argv.size() - 1);
        groups_ = groups_of(argv, kept_);
        kept_words_.assign(argv.end() - static_cast<std::ptrdiff_t>(kept_), argv.end());
        kept_taken_.resize(kept_);
        if (!argv.empty())
            program_ = argv.front();
    }

    std::vector<DiffRow> rows() {
        for (const TranslationNote& note : translation_.notes)
            result_.push_back({note, words_for(note)});
        add_rest();
        return std::move(result_);
    }

  private:
    std::vector<std::string> words_for(const TranslationNote& note) {
        if (note.kind == TranslationNote::Kind::dropped)
            return {};
        if (note.kind == TranslationNote::Kind::kept)
            return kept(note.became);
        if (note.became == "qemu-system-x86_64" && !program_.empty()) {
            std::vector<std::string> words = {program_};
            program_.clear();
            return words;
        }
        if (note.became.starts_with("console.sock"))
            return taken("console");
        const size_t equals = note.became.find(" = ");
        if (equals == std::string::npos)
            return {};
        const std::string key = note.became.substr(0, equals);
        std::vector<std::string> words = taken(key);
        if (key == "disk" || key == "cdrom" || key == "net") {
            const std::string value = note.became.substr(equals + 3);
            size_t number = 0;
            for (const auto& [other, there] : translation_.settings) {
                if (other != key)
                    continue;
                if (there == value && words.empty())
                    words = taken(key + " " + std::to_string(number));
                number++;
            }
        }
        // `-machine' sets both.
        if (key == "machine")
            append(words, taken("accel"));
        return words;
    }

    static void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
        words.insert(words.end(), more.begin(), more.end());
    }

    std::vector<std::string> taken(std::string_view owner) {
        std::vector<std::string> words;
        for (Group& group : groups_) {
            if (group.taken || group.owner != owner)
                continue;
            group.taken = true;
            append(words, group.words);
        }
        return words;
    }

    // The words that the note quotes, unless they are taken already.
    std::vector<std::string> kept(const std::string& text) {
        for (size_t first = 0; first < kept_words_.size(); first++) {
            std::vector<std::string> words;
            size_t length = 0;
            for (size_t i = first; i < kept_words_.size() && !kept_taken_[i]; i++) {
                words.push_back(kept_words_[i]);
                length += kept_words_[i].size();
                if (length > text.size())
                    break;
                if (shell_text(words) != text)
                    continue;
                std::fill(kept_taken_.begin() + static_cast<std::ptrdiff_t>(first),
                          kept_taken_.begin() + static_cast<std::ptrdiff_t>(i) + 1, true);
                return words;
            }
        }
        return {};
    }

    // Adds what nobody asked for, with each reason once.
    void add_rest() {
        if (!program_.empty())
            add(std::vector<std::string>{program_}, "the QEMU of this host");
        std::vector<std::string> reasons;
        std::map<std::string, std::vector<std::string>> words;
        for (const Group& group : groups_) {
            if (group.taken)
                continue;
            const std::string why = group.owner == own             ? "tapgate's own"
                                    : group.owner.starts_with(own) ? group.owner.substr(own.size())
                                    : group.owner == "console"
                                        ? "console.sock and console.log in the VM's directory"
                                        : "by default, or by the command line: --" +
                                              group.owner.substr(0, group.owner.find(' '));
            if (words.find(why) == words.end())
                reasons.push_back(why);
            append(words[why], group.words);
        }
        for (const std::string& why : reasons)
            add(words.at(why), why);
        std::vector<std::string> rest;
        for (size_t i = 0; i < kept_words_.size(); i++) {
            if (!kept_taken_[i])
                rest.push_back(kept_words_[i]);
        }
        if (!rest.empty())
            add(rest, "as given: --qemu-arg");
    }

    void add(const std::vector<std::string>& words, const std::string& why) {
        result_.push_back({{TranslationNote::Kind::added, {}, {}, why}, words});
    }

    const Translation& translation_;
    std::string program_;
    std::vector<Group> groups_;
    size_t kept_ = 0;
    std::vector<std::string> kept_words_;
    std::vector<bool> kept_taken_;
    std::vector<DiffRow> result_;
};

}  // namespace

std::vector<DiffRow> argv_diff(const Translation& translation,
                               const std::vector<std::string>& argv) {
    return Differ(translation, argv).rows();
}

}  // namespace tapgate
