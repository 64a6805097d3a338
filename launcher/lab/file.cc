// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/file.h"

#include <algorithm>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"

namespace tapgate {

namespace {

constexpr unsigned most_vms = 999;
constexpr std::string_view goals[] = {"running", "address", "agent", "ssh"};

const std::vector<std::string_view> lab_keys = {"name", "parallel"};
const std::vector<std::string_view> section_keys = {"count", "template", "after"};

bool is_one_of(const std::vector<std::string_view>& keys, std::string_view key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

unsigned number_in(const Setting& setting) {
    const auto number = parse_whole<unsigned>(setting.value, 1, most_vms);
    if (!number)
        throw wrong_setting(setting, quoted_word(setting.value) + " is not a number from 1 to " +
                                         std::to_string(most_vms));
    return *number;
}

VmName name_in(const Setting& setting) {
    auto name = VmName::parse(setting.value);
    if (!name)
        throw wrong_setting(setting, quoted_word(setting.value) +
                                         " is not a name: a letter, then letters, digits, '.', "
                                         "'_' and '-', 40 bytes at most");
    return std::move(*name);
}

// A part of the file: what comes before the first section (without `line`), or a section.
struct Part {
    Setting line;
    std::string name;
    std::vector<Setting> settings;
};

std::string section_name(const Setting& place, std::string_view header) {
    if (!header.ends_with(']'))
        throw wrong_setting(place, "a section is like [server]");
    std::string name(trimmed(header.substr(1, header.size() - 2)));
    // What can follow a letter in a VM's name.
    if (name.empty() || !VmName::parse("x" + name))
        throw wrong_setting(place, quoted_word(name) +
                                       " is not a section's name: letters, digits, '.', '_' "
                                       "and '-'");
    return name;
}

std::vector<Part> parts_of(const std::string& path, std::string_view text) {
    text = without_byte_order_mark(text);
    std::vector<Part> parts(1);
    unsigned first_line = 1;
    unsigned number = 0;
    std::string_view body = text.substr(0, 0);
    const auto finish = [&] {
        const bool is_head = parts.size() == 1;
        parts.back().settings = parse_vm_file(
            path, body,
            {.first_line = first_line,
             .own_keys = is_head ? lab_keys : section_keys,
             .other_keys = is_head ? section_keys : lab_keys,
             .other_place = is_head ? "in a section, like [server]" : "above the first section"});
    };
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        number++;
        const std::string_view content = trimmed(line);
        if (!content.starts_with('[')) {
            body = {body.data(), static_cast<size_t>(text.data() - body.data())};
            continue;
        }
        finish();
        Part part{.line = line_place(path, number, line), .name = {}, .settings = {}};
        part.name = section_name(part.line, content);
        for (const Part& other : parts)
            if (other.name == part.name)
                throw wrong_setting(part.line, "there is a section [" + part.name + "] already");
        parts.push_back(std::move(part));
        first_line = number + 1;
        body = text.substr(0, 0);
    }
    finish();
    return parts;
}

// The settings of a section and the lab's. The section's own come first, lists as a whole.
std::vector<Setting> with_lab_settings(const std::vector<Setting>& own,
                                       const std::vector<Setting>& lab) {
    std::vector<Setting> all;
    for (const Setting& setting : own)
        if (!is_one_of(section_keys, setting.key))
            all.push_back(setting);
    for (const Setting& setting : lab)
        if (!is_one_of(lab_keys, setting.key) &&
            std::none_of(own.begin(), own.end(),
                         [&](const Setting& one) { return one.key == setting.key; }))
            all.push_back(setting);
    return all;
}

LabSection section_of(const Part& part, const std::vector<Setting>& lab) {
    LabSection section{.name = part.name,
                       .base = {},
                       .settings = with_lab_settings(part.settings, lab),
                       .place = part.line,
                       .base_place = {}};
    for (const Setting& setting : part.settings) {
        if (setting.key == "count")
            section.count = number_in(setting);
        if (setting.key == "template") {
            section.base = name_in(setting);
            section.base_place = setting;
        }
    }
    for (const Setting& setting : section.settings)
        if (section.base && setting.key == "disk")
            throw wrong_setting(
                setting, "the disks of [" + section.name + "] are its template's: a VM has either");
    return section;
}

// `after = server:ssh,router`
std::vector<LabDependency> dependencies_in(const Setting& setting,
                                           const std::vector<LabSection>& sections) {
    std::vector<std::string_view> names;
    names.reserve(sections.size());
    for (const LabSection& section : sections)
        names.emplace_back(section.name);
    std::vector<LabDependency> all;
    for (const std::string& word : split_at_commas(setting.value)) {
        const size_t colon = std::min(word.find(':'), word.size());
        const std::string name = word.substr(0, colon);
        const auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end())
            throw wrong_setting(
                setting, "there is no section [" + shown(name) + "]" + did_you_mean(name, names));
        const std::string goal = colon == word.size() ? "running" : word.substr(colon + 1);
        if (std::find(std::begin(goals), std::end(goals), goal) == std::end(goals))
            throw wrong_setting(setting,
                                quoted_word(goal) + " is none of running, address, agent, ssh" +
                                    did_you_mean(goal, {std::begin(goals), std::end(goals)}));
        all.push_back({static_cast<size_t>(found - names.begin()), goal});
    }
    return all;
}

// Throws when a section waits for itself.
void check_order(const Lab& lab) {
    std::vector<bool> starts(lab.sections.size());
    for (size_t started = 0; started < lab.sections.size();) {
        const size_t before = started;
        for (size_t i = 0; i < lab.sections.size(); i++) {
            const auto& after = lab.sections[i].after;
            if (starts[i] ||
                !std::all_of(after.begin(), after.end(),
                             [&](const LabDependency& one) { return starts[one.section]; }))
                continue;
            starts[i] = true;
            started++;
        }
        if (started != before)
            continue;
        const size_t stuck =
            static_cast<size_t>(std::find(starts.begin(), starts.end(), false) - starts.begin());
        throw wrong_setting(lab.sections[stuck].place,
                            "[" + lab.sections[stuck].name + "] waits by `after' for itself");
    }
}

VmName default_name(const std::string& path) {
    std::string stem = path.substr(path.rfind('/') + 1);
    if (stem.ends_with(".conf"))
        stem.resize(stem.size() - 5);
    auto name = VmName::parse(stem);
    if (!name)
        throw LauncherError(shown(path) +
                            ": the file's name cannot be a lab's: give it one with the line `name "
                            "= ...' above the first section");
    return std::move(*name);
}

// Replaces each `word` in `text`.
void replace_all(std::string& text, std::string_view word, const std::string& by) {
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + by.size()))
        text.replace(at, word.size(), by);
}

}  // namespace

Lab parse_lab_file(const std::string& path, std::string_view text) {
    const std::vector<Part> parts = parts_of(path, text);
    const std::vector<Setting>& own = parts.front().settings;
    const auto set = [&](std::string_view key) {
        return std::find_if(own.begin(), own.end(),
                            [&](const Setting& setting) { return setting.key == key; });
    };
    const auto name = set("name");
    Lab lab{.name = name == own.end() ? default_name(path) : name_in(*name),
            .path = path,
            .parallel = {},
            .sections = {}};
    if (const auto parallel = set("parallel"); parallel != own.end())
        lab.parallel = number_in(*parallel);
    for (size_t i = 1; i < parts.size(); i++)
        lab.sections.push_back(section_of(parts[i], own));
    if (lab.sections.empty())
        throw LauncherError(shown(path) + ": no section: a kind of VM is like [server]");
    for (size_t i = 0; i < lab.sections.size(); i++)
        for (const Setting& setting : parts[i + 1].settings)
            if (setting.key == "after")
                lab.sections[i].after = dependencies_in(setting, lab.sections);
    check_order(lab);
    lab_vms(lab);
    return lab;
}

Lab load_lab(const std::string& path) {
    const auto text = read_file(path);
    if (!text)
        throw LauncherError(shown(path) + ": no such file");
    return parse_lab_file(path, *text);
}

std::vector<LabVm> lab_vms(const Lab& lab) {
    std::vector<LabVm> vms;
    for (size_t i = 0; i < lab.sections.size(); i++) {
        const LabSection& section = lab.sections[i];
        for (unsigned n = 1; n <= section.count; n++) {
            const std::string text = lab.name.str() + "-" + section.name + "-" + std::to_string(n);
            auto name = VmName::parse(text);
            if (!name)
                throw wrong_setting(section.place, "a VM would be called " + shown(text) +
                                                       ", which is longer than " +
                                                       std::to_string(VmName::max_size) + " bytes");
            if (vms.size() == most_vms)
                throw wrong_setting(section.place,
                                    "the lab has more than " + std::to_string(most_vms) + " VMs");
            // [a] could have a VM a-1-1, and [a-1], too.
            if (std::any_of(vms.begin(), vms.end(),
                            [&](const LabVm& other) { return other.name == *name; }))
                throw wrong_setting(section.place, "two VMs would be called " + text);
            LabVm& vm = vms.emplace_back(LabVm{std::move(*name), i, section.settings});
            for (Setting& setting : vm.settings) {
                replace_all(setting.value, "{n}", std::to_string(n));
                replace_all(setting.value, "{name}", text);
            }
        }
    }
    return vms;
}

VmDescription describe_lab_vm(const LabVm& vm) {
    return describe_unfiled_vm(vm.name, vm.settings);
}

std::string lab_mark(const VmName& lab) {
    return std::string(lab_mark_words) + lab.str();
}

std::string lab_of_vm_file(std::string_view vm_file) {
    vm_file = without_byte_order_mark(vm_file);
    const size_t at =
        vm_file.starts_with(lab_mark_words) ? 0 : vm_file.find("\n" + std::string(lab_mark_words));
    if (at == std::string_view::npos)
        return {};
    vm_file.remove_prefix(at + (at == 0 ? 0 : 1) + lab_mark_words.size());
    const auto name = VmName::parse(trimmed(vm_file.substr(0, vm_file.find('\n'))));
    return name ? name->str() : "";
}

bool has_lab_mark(std::string_view vm_file, const VmName& vm, const VmName& lab) {
    if (!vm.str().starts_with(lab.str() + "-"))
        return false;
    const std::string mark = lab_mark(lab);
    vm_file = without_byte_order_mark(vm_file);
    while (!vm_file.empty()) {
        const std::string_view line = vm_file.substr(0, vm_file.find('\n'));
        if (trimmed(line) == mark)
            return true;
        vm_file.remove_prefix(std::min(line.size() + 1, vm_file.size()));
    }
    return false;
}

}  // namespace tapgate
