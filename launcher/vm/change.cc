// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/change.h"

#include <exception>

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

// The change that a word asks for.
struct Change {
    std::string key;
    std::string value;  // empty: remove the key
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

// Reports a value that is wrong by itself as it was typed, and not with its place in the file.
void check(const Change& change, const std::string& directory) {
    if (change.value.empty())
        return;
    Setting setting = command_line_setting(change.key, change.value, directory);
    setting.place = change.key;
    check_value(setting);
}

// The lines with their line breaks; the last may lack one.
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
    const std::string_view content = trimmed(without_byte_order_mark(line), " \t\r\n");
    return !content.starts_with('#') && !content.starts_with(';') &&
           trimmed(content.substr(0, content.find('='))) == key;
}

// The new line for the key; empty when the value is.
std::string new_line(const std::string& key, const std::string& value,
                     const std::string& directory) {
    return value.empty()
               ? ""
               : key + " = " + absolute_value(command_line_setting(key, value, directory)) + "\n";
}

std::string apply(std::string_view text, const Change& change, const std::string& directory) {
    const std::string line = new_line(change.key, change.value, directory);
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
    for (const std::string& word : words) {
        const Change change = change_in(word);
        check(change, directory);
        result = apply(result, change, directory);
    }
    return result;
}

std::string with_value(std::string_view text, const std::string& key, size_t index,
                       const std::string& value, const std::string& directory) {
    std::string result;
    size_t seen = 0;
    bool found = false;
    for (const std::string_view line : lines_of(text)) {
        if (!has_key(line, key) || seen++ != index) {
            result += line;
            continue;
        }
        found = true;
        result += new_line(key, value, directory);
    }
    if (!found && !value.empty()) {
        if (!result.empty() && !result.ends_with('\n'))
            result += '\n';
        result += new_line(key, value, directory);
    }
    return result;
}

FileChange::FileChange(const VmName& name,
                       const std::function<std::string(std::string_view)>& change)
    : name_(name), path_(vm_file_path(name)) {
    const auto before = read_file(path_);
    if (!before)
        throw no_such_vm(name);
    before_ = *before;
    after_ = change(before_);
    try {
        describe_vm(name, parse_vm_file(path_, after_));
    } catch (const LauncherError& error) {
        throw LauncherError(std::string(error.what()) +
                            "\nso the file would be; nothing was changed");
    }
}

void FileChange::write() const {
    replace(after_);
}

void FileChange::rehearse() const {
    replace(before_);
}

void FileChange::take_back() const noexcept {
    try {
        replace_vm_file(name_, after_, before_);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): there is an error already
    }
}

void FileChange::replace(const std::string& text) const {
    if (!replace_vm_file(name_, before_, text))
        throw LauncherError(shown(path_) + " was changed meanwhile; try again");
}

void change_vm_file(const VmName& name, const std::vector<std::string>& words,
                    const std::string& directory) {
    FileChange(name, [&](std::string_view text) {
        return changed_text(text, words, directory);
    }).write();
    if (vm_state(name).qemu != 0)
        note(name.str() + " is running; the change counts from its next start on");
}

}  // namespace tapgate
