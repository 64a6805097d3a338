// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/translation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"

namespace tapgate {

void Translation::set(const std::string& key, const std::string& value) {
    if (key != "disk" && key != "cdrom" && key != "net" && key != "share" && key != "qemu-arg")
        std::erase_if(settings, [&](const auto& setting) { return setting.first == key; });
    settings.emplace_back(key, value);
}

void Translation::keep(const std::string& was, const std::vector<std::string>& arguments,
                       const std::string& why) {
    for (const std::string& argument : arguments)
        set("qemu-arg", argument);
    notes.push_back({TranslationNote::Kind::kept, was, shell_text(arguments), why});
}

void fit_pointers(Translation& translation) {
    const auto& settings = translation.settings;
    const bool has_screen = std::none_of(settings.begin(), settings.end(), [](const auto& one) {
        return one.first == "display" && one.second == "none";
    });
    for (TranslationNote& note : translation.notes) {
        const size_t at = has_screen ? std::string::npos : note.why.find(own_tablet);
        if (at != std::string::npos)
            note.why.replace(at, std::string_view(own_tablet).size(), no_pointer);
    }
}

void Translation::rename(const std::string& given) {
    if (given == name)
        return;
    const std::string_view why = why_name;
    for (TranslationNote& note : notes) {
        if (note.became != "VM " + name || !note.why.starts_with(why))
            continue;
        note.became = "VM " + given;
        note.why.replace(0, why.size(), "as the command calls it");
    }
    name = given;
}

std::string_view name_of(TranslationNote::Kind kind) {
    switch (kind) {
        case TranslationNote::Kind::changed:
            return "changed";
        case TranslationNote::Kind::added:
            return "added";
        case TranslationNote::Kind::kept:
            return "kept";
        case TranslationNote::Kind::dropped:
            return "dropped";
    }
    throw std::logic_error("a note of no kind");
}

std::string note_text(const TranslationNote& note) {
    std::string text = note.was;
    switch (note.kind) {
        case TranslationNote::Kind::changed:
            text += "  ->  " + note.became;
            break;
        case TranslationNote::Kind::added:
            text = "(not given)  ->  " + note.became;
            break;
        case TranslationNote::Kind::kept:
            text += "  ->  kept";
            if (note.became != note.was)
                text += " as " + note.became;
            break;
        case TranslationNote::Kind::dropped:
            text += "  ->  dropped";
            break;
    }
    if (!note.why.empty())
        text += ": " + note.why;
    text = terminal_text(text, 64UL * 1024);
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

std::string_view instead_of_description(std::string_view path) {
    struct Program {
        std::string_view ending;
        std::string_view way_out;
    };
    constexpr std::string_view quickemu =
        "if it is from quickemu: use the script NAME.sh beside the VM's disk instead, which "
        "quickemu writes at each start; a VM file of tapgate's is used where it is, in "
        "~/.config/tapgate";
    constexpr std::string_view vmware =
        "it is VMware's description of a VM: import the .vmdk that its fileName= names or, to keep "
        "the VM's settings too, the output of `ovftool FILE.vmx FILE.ova'";
    constexpr Program programs[] = {
        {".vmtx", vmware},
        {".vmx", vmware},
        {".nvram",
         "it is what VMware's firmware remembers, which no other firmware reads: import the .vmdk "
         "of the VM's disk, and the firmware finds the system on it anew"},
        {".vbox",
         "it is VirtualBox' description of a VM: import the output of `VBoxManage export VM -o "
         "FILE.ova'"},
        {".vmcx", "it is Hyper-V's description of a VM: import the .vhdx of its disk"},
        {".utm", "it is UTM's directory of a VM: import the .qcow2 in it"},
        {".qed",
         "no disk of tapgate's can be a QED image: import the output of "
         "`qemu-img convert -f qed -O qcow2 FILE.qed FILE.qcow2'"},
        {".conf", quickemu},
        {"quickemu", quickemu},
    };
    for (const Program& program : programs) {
        if (path.ends_with(program.ending))
            return program.way_out;
    }
    return {};
}

std::pair<std::string, bool> format_by_name(std::string_view path) {
    struct Ending {
        std::string_view text;
        std::string_view format;
    };
    constexpr Ending endings[] = {
        {".qcow2", "qcow2"}, {".vmdk", "vmdk"}, {".vdi", "vdi"}, {".vhdx", "vhdx"},
        {".vhd", "vpc"},     {".raw", "raw"},   {".iso", "raw"}, {".qcow", "qcow2"},
    };
    const std::string name = in_small_letters(path);
    for (const Ending& ending : endings) {
        if (name.ends_with(ending.text))
            return {std::string(ending.format), true};
    }
    return {"raw", false};
}

std::vector<Setting> settings_of(const Translation& translation, const std::string& directory,
                                 const std::vector<Setting>& overriding) {
    std::vector<Setting> settings;
    for (const auto& translated : translation.settings) {
        if (std::none_of(overriding.begin(), overriding.end(),
                         [&](const Setting& setting) { return setting.key == translated.first; }))
            settings.push_back(
                command_line_setting(translated.first, translated.second, directory));
    }
    settings.insert(settings.end(), overriding.begin(), overriding.end());
    return settings;
}

std::string nothing_to_boot(const VmName& name, const std::vector<Setting>& settings,
                            const std::string& file) {
    const bool boots = std::any_of(settings.begin(), settings.end(), [](const Setting& one) {
        const bool kept = one.key == "qemu-arg" &&
                          (one.value == "-drive" || one.value == "-blockdev" ||
                           one.value == "-readconfig" || one.value.starts_with("vfio-pci,"));
        return kept || one.key == "disk" || one.key == "cdrom" || one.key == "kernel" ||
               (one.key == "boot" && one.value.find("net") != std::string::npos);
    });
    if (boots)
        return {};
    return name.str() + " has no disk, and boots from nothing: before you start it, " +
           (file.empty() ? "give it one with --disk=PATH"
                         : "add a line `disk = PATH' to " + shown(file));
}

namespace {

// A note as a comment, which names what was there in at most `longest` bytes.
std::string comment(TranslationNote note, size_t longest) {
    note.was = terminal_text(note.was, longest);
    return "#   " + note_text(note) + "\n";
}

// The reason that most notes have: one of hundreds with it says little.
std::string commonest_reason(const std::vector<TranslationNote>& notes) {
    std::map<std::string, size_t> counts;
    for (const TranslationNote& note : notes)
        counts[note.why]++;
    const auto commonest =
        std::max_element(counts.begin(), counts.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return commonest == counts.end() ? std::string() : commonest->first;
}

// A translation's notes as comments.
struct Comments {
    const std::vector<TranslationNote>& notes;
    size_t room;                     // for them, in bytes
    std::vector<std::string> lines;  // one for each note; empty if it is left out

    [[nodiscard]] size_t size() const {
        size_t bytes = 0;
        for (const std::string& line : lines)
            bytes += line.size();
        return bytes;
    }

    // Cuts the longest ones as far as the room needs it: all, or those with one reason.
    void shorten(const std::optional<std::string>& reason) {
        for (const size_t longest : {2000UL, 500UL, 120UL, 40UL}) {
            if (size() <= room)
                return;
            for (size_t i = 0; i < notes.size(); i++) {
                if (!reason || notes[i].why == *reason)
                    lines[i] = comment(notes[i], longest);
            }
        }
    }

    // Leaves out the last ones with this reason, as far as the room needs it.
    void leave_out(const std::string& reason) {
        constexpr size_t longest_reason = 200;
        const std::string more = "#   ... and more, for which there is no room here: " +
                                 terminal_text(reason, longest_reason) + "\n";
        size_t bytes = size() + more.size();
        size_t first = notes.size();
        for (size_t i = notes.size(); i-- > 0 && bytes > room;) {
            if (notes[i].why != reason)
                continue;
            bytes -= lines[i].size();
            lines[i].clear();
            first = i;
        }
        if (first < notes.size())
            lines[first] = more;
    }
};

// The notes as comments of at most `room` bytes.
std::string comments(const std::vector<TranslationNote>& notes, size_t room) {
    std::string text = "#\n# What each part has become:\n";
    Comments all{.notes = notes, .room = room - text.size(), .lines = {}};
    constexpr size_t whole = 64UL * 1024;
    for (const TranslationNote& note : notes)
        all.lines.push_back(comment(note, whole));
    const std::string commonest = commonest_reason(notes);
    all.shorten(commonest);
    all.shorten(std::nullopt);
    if (all.size() > all.room)
        all.leave_out(commonest);
    for (const std::string& line : all.lines)
        text += line;
    if (text.size() > room)
        text.resize(text.rfind('\n', room - 1) + 1);
    return text;
}

}  // namespace

std::string annotated_vm_file(const VmName& name, const std::vector<Setting>& settings,
                              const Translation& translation) {
    // read_file() takes files of up to 64 KiB, and `tapgate set' adds lines.
    constexpr size_t most = 60UL * 1024;
    constexpr size_t least = 4UL * 1024;
    std::string text = vm_file_text(name, settings);
    text += comments(translation.notes, std::max(least, most - std::min(most, text.size())));
    return text;
}

}  // namespace tapgate
