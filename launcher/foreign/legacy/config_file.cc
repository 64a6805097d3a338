// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy/config_file.h"

#include <algorithm>
#include <map>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// The text in quotes; `quoted' is only that.
bool has_quotes(std::string_view quoted) {
    return quoted.size() >= 2 && quoted.starts_with('"') && quoted.ends_with('"');
}

std::string_view without_quotes(std::string_view quoted) {
    return quoted.substr(1, quoted.size() - 2);
}

// Some sections are called after what QEMU keeps of the option.
std::string option_of(std::string_view section) {
    static const std::map<std::string_view, std::string_view> names = {
        {"memory", "m"}, {"smp-opts", "smp"}, {"boot-opts", "boot"}, {"acpi", "acpitable"}};
    const auto found = names.find(section);
    return "-" + std::string(found == names.end() ? section : found->second);
}

}  // namespace

std::vector<std::string> options_in_config_file(std::string_view text, const std::string& source) {
    std::vector<std::string> words;
    for (unsigned number = 1; !text.empty(); number++) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
        const std::string_view line = trimmed(whole, " \t\r");
        const auto refuse = [&] {
            throw LauncherError(source + ": line " + std::to_string(number) +
                                " is neither [SECTION], [SECTION \"ID\"] nor KEY = \"VALUE\": " +
                                quoted_word(std::string(line)));
        };
        if (line.empty() || line.starts_with('#'))
            continue;
        if (line.starts_with('[') && line.ends_with(']')) {
            const std::string_view inside = trimmed(line.substr(1, line.size() - 2));
            const size_t end = std::min(inside.find_first_of(" \t"), inside.size());
            const std::string_view id = trimmed(inside.substr(end));
            if (!id.empty() && !has_quotes(id))
                refuse();
            words.push_back(option_of(inside.substr(0, end)));
            words.push_back(id.empty() ? ""
                                       : "id=" + commas_doubled(std::string(without_quotes(id))));
            continue;
        }
        const size_t equals = line.find('=');
        const std::string_view value =
            equals == std::string_view::npos ? line : trimmed(line.substr(equals + 1));
        if (equals == std::string_view::npos || !has_quotes(value) || words.empty())
            refuse();
        std::string& option = words.back();
        option += (option.empty() ? "" : ",") + std::string(trimmed(line.substr(0, equals))) + "=" +
                  commas_doubled(std::string(without_quotes(value)));
    }
    return words;
}

}  // namespace tapgate
