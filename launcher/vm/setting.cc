// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/setting.h"

#include <algorithm>
#include <string_view>

#include "common/words.h"
#include "launcher/base/text.h"

namespace tapgate {

Setting command_line_setting(const std::string& key, const std::string& value,
                             const std::string& directory) {
    return {key, value, Setting::Source::command_line, "--" + key, "", 0, directory};
}

namespace {

// How much of a line is shown: a file that is not a VM file may have endless ones.
constexpr size_t longest_line = 160;
constexpr size_t before_column = 80;

// The line, or the part of it around the column, and a caret below it.
std::string pointed_out(std::string_view line, size_t column) {
    const size_t begin =
        line.size() > longest_line && column > before_column ? column - before_column : 0;
    const std::string left = begin > 0 ? "..." : "";
    const std::string_view part = line.substr(begin, longest_line);
    const std::string before = left + printable(part.substr(0, column - begin), longest_line);
    const auto columns = std::count_if(before.begin(), before.end(), [](unsigned char c) {
        return c < 0x80 || c >= 0xc0;  // a character's first byte
    });
    return "    " + left + printable(part, longest_line) +
           (begin + part.size() < line.size() ? "..." : "") + "\n    " +
           std::string(static_cast<size_t>(columns), ' ') + "^";
}

}  // namespace

LauncherError wrong_setting(const Setting& setting, const std::string& what) {
    std::string text = setting.place + "=" + shown(setting.value) + ": " + what;
    LauncherError on_one_line(text);
    if (setting.source != Setting::Source::file)
        return on_one_line;
    text = setting.place + ": " + what + "\n" + pointed_out(setting.line, setting.column);
    LauncherError on_three_lines(text);
    return on_three_lines;
}

std::string setting_text(const Setting& setting) {
    return setting.key + " = " + printable(setting.value, setting.value.size());
}

}  // namespace tapgate
