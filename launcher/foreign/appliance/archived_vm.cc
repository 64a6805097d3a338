// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/archived_vm.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"

namespace tapgate {

namespace {

// Keys that belong to the VM alone.
constexpr std::array<std::string_view, 12> of_the_vm = {"memory",  "cpus",  "cpu",      "nested",
                                                        "machine", "accel", "firmware", "boot",
                                                        "append",  "seed",  "snapshot", "disk"};

bool is_image_property(const std::string& word) {
    return word.starts_with("format=") || word.starts_with("backing=");
}

}  // namespace

std::string archived_vm_text(const VmName& name, const std::vector<Setting>& settings,
                             const std::vector<std::string>& files) {
    std::vector<Setting> others = settings;
    std::erase_if(others, [](const Setting& one) { return one.key == "disk"; });
    std::string text = vm_file_text(name, others);
    size_t next = 0;
    for (const Setting& setting : settings) {
        if (setting.key != "disk")
            continue;
        const std::string& file = files.at(next++);
        if (file.empty())
            continue;
        std::vector<std::string> words = split_at_commas(setting.value);
        words.erase(words.begin());
        std::erase_if(words, is_image_property);
        text += "disk = " + file;
        for (const std::string& word : words)
            text += "," + commas_doubled(word);
        text += "\n";
    }
    return text;
}

ArchivedVm read_archived_vm(const std::string& text, const std::string& source) {
    const std::vector<Setting> settings = parse_vm_file(source, text);
    const auto name = VmName::parse("vm");
    // If a value is wrong, this throws with the line's number.
    describe_vm(*name, settings);
    ArchivedVm vm;
    for (const Setting& setting : settings) {
        if (setting.key != "disk") {
            vm.settings.emplace_back(setting.key, absolute_value(setting));
            continue;
        }
        std::vector<std::string> words = split_at_commas(setting.value);
        ApplianceDisk disk{.file = words.at(0)};
        const auto [format, known] = format_by_name(disk.file);
        if (disk.file.find('/') != std::string::npos || !known ||
            (format != "qcow2" && format != "vmdk"))
            throw wrong_setting(setting,
                                "a disk in an archive has to be a qcow2 or vmdk image inside it");
        disk.format = *image_format(format);
        words.erase(words.begin());
        std::erase_if(words, is_image_property);
        vm.disks.push_back(std::move(disk));
        vm.disk_properties.push_back(joined_by_commas(words));
    }
    return vm;
}

bool reaches_beyond_vm(const std::string& key, const std::string& value) {
    if (key == "net")
        return value.find("hostfwd=") != std::string::npos;
    if (key == "display")
        return value != "none" && value != "vnc" && value != "vnc:unix";
    return std::find(of_the_vm.begin(), of_the_vm.end(), key) == of_the_vm.end();
}

}  // namespace tapgate
