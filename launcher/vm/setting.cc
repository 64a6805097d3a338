// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/setting.h"

#include <algorithm>
#include <string_view>

#include "launcher/base/text.h"

namespace tapgate {

Setting command_line_setting(const std::string& key, const std::string& value,
                             const std::string& directory) {
    return {key, value, Setting::Source::command_line, "--" + key, "", 0, directory};
}

LauncherError wrong_setting(const Setting& setting, const std::string& what) {
    std::string text = setting.place + "=" + shown(setting.value) + ": " + what;
    LauncherError on_one_line(text);
    if (setting.source != Setting::Source::file)
        return on_one_line;
    std::string below;
    for (const char c : std::string_view(setting.line).substr(0, setting.column))
        below += c == '\t' ? '\t' : ' ';
    std::string line = setting.line;
    std::replace_if(
        line.begin(), line.end(),
        [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; }, '?');
    text = setting.place + ": " + what + "\n    " + line + "\n    " + below + "^";
    LauncherError pointed_out(text);
    return pointed_out;
}

std::string setting_text(const Setting& setting) {
    return setting.key + " = " + shown(setting.value);
}

}  // namespace tapgate
