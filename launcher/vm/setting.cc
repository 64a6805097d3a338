// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/setting.h"

#include <algorithm>

#include "common/words.h"
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
    const std::string before = printable(setting.line.substr(0, setting.column), setting.column);
    const auto columns = std::count_if(before.begin(), before.end(), [](unsigned char c) {
        return c < 0x80 || c >= 0xc0;  // a character's first byte
    });
    text = setting.place + ": " + what + "\n    " + printable(setting.line, setting.line.size()) +
           "\n    " + std::string(static_cast<size_t>(columns), ' ') + "^";
    LauncherError pointed_out(text);
    return pointed_out;
}

std::string setting_text(const Setting& setting) {
    return setting.key + " = " + printable(setting.value, setting.value.size());
}

}  // namespace tapgate
