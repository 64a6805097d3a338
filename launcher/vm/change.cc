// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/change.h"

#include <algorithm>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/options.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// What a word asks for.
struct Change {
    std::string key;
    std::string value;  // empty: take it away
    bool adds = false;
};

Change change_in(const std::string& word) {
    const size_t equals = word.find('=');
    Change change;
    change.key = word.substr(0, equals);
    if (change.key.ends_with('+')) {
        change.adds = true;
        change.key.pop_back();
    }
    const VmOption* const option = find_vm_option(change.key);
    if (option == nullptr)
        throw UsageError("unknown key " + quoted_word(change.key) + suggestion(change.key, {}));
    if (equals == std::string::npos)
        throw UsageError(quoted_word(word) + ": `=' and a value are missing: " + change.key + "=" +
                         argument_of(*option));
    change.value = word.substr(equals + 1);
    if (change.adds && !option->repeatable)
        throw UsageError(quoted_word(word) + ": there is one " + change.key +
                         " only; say it with `=' alone");
    if (change.adds && change.value.empty())
        throw UsageError(quoted_word(word) + ": nothing to add");
    return change;
}

// With its line break, but for the last.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        lines.push_back(text.substr(0, end == std::string_view::npos ? text.size() : end + 1));
        text.remove_prefix(lines.back().size());
    }
    return lines;
}

bool has_key(std::string_view line, std::string_view key) {
    const std::string_view content = trimmed(line, " \t\r\n");
    return !content.starts_with('#') && !content.starts_with(';') &&
           trimmed(content.substr(0, content.find('='))) == key;
}

std::string apply(std::string_view text, const Change& change, const std::string& directory) {
    const std::string line =
        change.value.empty()
            ? ""
            : change.key + " = " +
                  absolute_value(command_line_setting(change.key, change.value, directory)) + "\n";
    std::string result;
    bool found = false;
    bool written = false;
    for (const std::string_view old : lines_of(text)) {
        if (!has_key(old, change.key)) {
            result += old;
            continue;
        }
        found = true;
        if (change.adds)
            result += old;
        else if (!std::exchange(written, true))
            result += line;
    }
    if (change.value.empty() && !found)
        throw LauncherError("there is no " + change.key + " to take away");
    if (!written && !line.empty()) {
        if (!result.empty() && !result.ends_with('\n'))
            result += '\n';
        result += line;
    }
    return result;
}

}  // namespace

std::string changed_text(std::string_view text, const std::vector<std::string>& words,
                         const std::string& directory) {
    std::string result(text);
    for (const std::string& word : words)
        result = apply(result, change_in(word), directory);
    return result;
}

void change_vm_file(const VmName& name, const std::vector<std::string>& words,
                    const std::string& directory) {
    const std::string path = vm_file_path(name);
    const auto before = read_file(path);
    if (!before)
        throw no_such_vm(name);
    const std::string after = changed_text(*before, words, directory);
    describe_vm(name, parse_vm_file(path, after));
    // From here on: it describes a VM.
    if (read_file(path) != before)
        throw LauncherError(shown(path) + " was changed meanwhile; try again");
    replace_file(path, after);
    if (vm_state(name).qemu != 0)
        note(name.str() + " is running; the change counts from its next start on");
}

}  // namespace tapgate
