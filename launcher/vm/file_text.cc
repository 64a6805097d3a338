// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/file_text.h"

#include <algorithm>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/vm/options.h"

namespace tapgate {

namespace {

std::string disk_with_absolute_paths(std::string_view value, const std::string& directory) {
    constexpr std::string_view backing = "backing=";
    std::string text;
    for (std::string& word : split_at_commas(value)) {
        const bool is_first = text.empty();
        const bool is_backing = !is_first && word.starts_with(backing) && word != "backing=any";
        const size_t begin = is_backing ? backing.size() : 0;
        if ((is_first || is_backing) && word[begin] != '/')
            word.insert(begin, directory + "/");
        text.append(is_first ? "" : ",").append(commas_doubled(word));
    }
    return text;
}

}  // namespace

Setting line_place(const std::string& path, unsigned number, std::string_view line) {
    Setting place;
    place.source = Setting::Source::file;
    place.place = shown(path) + ":" + std::to_string(number);
    place.line = line.substr(0, line.find_last_not_of('\r') + 1);
    place.column = std::min(line.find_first_not_of(blanks), line.size());
    return place;
}

std::vector<Setting> parse_vm_file(const std::string& path, std::string_view text,
                                   const FilePart& part) {
    std::vector<Setting> settings;
    text = without_byte_order_mark(text);
    const std::string directory = path.substr(0, path.rfind('/'));
    for (unsigned number = part.first_line; !text.empty(); number++) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::string_view content = trimmed(line);
        if (content.empty() || content.front() == '#' || content.front() == ';')
            continue;
        const auto column = [&](std::string_view word) {
            return static_cast<size_t>(word.data() - line.data());
        };
        Setting setting = line_place(path, number, line);
        setting.directory = directory;
        if (line.find('\0') != std::string_view::npos)
            throw wrong_setting(setting, "a NUL byte in the line");
        if (content.front() == '[')
            throw wrong_setting(setting, "a VM's file has no sections, as " + quoted_word(content) +
                                             ": leave this line out");
        const size_t equals = content.find('=');
        std::string_view key = trimmed(content.substr(0, equals));
        if (equals == std::string_view::npos)
            key = key.substr(0, key.find_first_of(blanks));
        const VmOption* const option = find_vm_option(key);
        if (std::find(part.other_keys.begin(), part.other_keys.end(), key) != part.other_keys.end())
            throw wrong_setting(setting, "unknown key " + quoted_word(key) + " here: it stands " +
                                             std::string(part.other_place));
        if (option == nullptr &&
            std::find(part.own_keys.begin(), part.own_keys.end(), key) == part.own_keys.end())
            throw wrong_setting(setting,
                                "unknown key " + quoted_word(key) + suggestion(key, part.own_keys));
        if (equals == std::string_view::npos)
            throw wrong_setting(
                setting, quoted_word(content) + " needs a `=' and a value: " + std::string(key) +
                             " = " + (option != nullptr ? argument_of(*option) : "..."));
        setting.key = key;
        setting.value = trimmed(content.substr(equals + 1));
        for (const Setting& earlier : settings) {
            if (earlier.key == key && (option == nullptr || !option->repeatable))
                throw wrong_setting(setting,
                                    quoted_word(key) + " stands already in line " +
                                        earlier.place.substr(earlier.place.rfind(':') + 1));
        }
        setting.column = std::min(column(content) + equals + 1, line.size());
        setting.column = std::min(line.find_first_not_of(blanks, setting.column), line.size());
        settings.push_back(std::move(setting));
    }
    return settings;
}

std::string absolute_value(const Setting& setting) {
    if (setting.key == "disk" || setting.key == "share")
        return disk_with_absolute_paths(setting.value, setting.directory);
    if (find_vm_option(setting.key)->is_path && !setting.value.starts_with('/'))
        return setting.directory + "/" + setting.value;
    return setting.value;
}

std::string vm_file_text(const VmName& name, const std::vector<Setting>& settings) {
    std::string text = "# The VM " + name.str() + " of tapgate(1)\n";
    for (const Setting& setting : settings) {
        const std::string value = absolute_value(setting);
        if (value.find('\n') != std::string::npos || trimmed(value) != value)
            throw wrong_setting(setting,
                                "a line break, or a blank at an end, cannot stand in a VM file");
        text.append(setting.key).append(" = ").append(value).append("\n");
    }
    return text;
}

}  // namespace tapgate
