// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/pasted.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/translation/qemu_options.h"

namespace tapgate {

namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// Without the marks of replies, if each line has one. No script is like that.
std::string without_reply_marks(std::string_view text) {
    const auto lines = lines_of(text);
    const bool all = std::all_of(lines.begin(), lines.end(), [](std::string_view line) {
        const std::string_view rest = trimmed(line, " \t\r");
        return rest.empty() || rest.starts_with('>');
    });
    if (!all)
        return std::string(text);
    std::string result;
    for (const std::string_view line : lines) {
        const size_t marks = std::min(line.find_first_not_of("> \t"), line.size());
        result.append(line.substr(marks)).append("\n");
    }
    return result;
}

// The command line in `start failed: command '/usr/bin/kvm ...' failed: exit code 1', which has
// its own quotes inside of those: the last one, if a log has several of one VM. Empty if there is
// no such error.
std::string_view failed_start(std::string_view text) {
    constexpr std::string_view begin = "start failed: command '";
    constexpr std::string_view end = "' failed: ";
    std::string_view found;
    for (const std::string_view line : lines_of(text)) {
        const size_t at = line.find(begin);
        const size_t length = line.rfind(end);
        if (at == std::string_view::npos || length == std::string_view::npos || length < at)
            continue;
        const std::string_view command = line.substr(at + begin.size(), length - at - begin.size());
        const std::string_view vm =
            command.substr(0, command.find(" -", command.find(" -id ") + 1));
        if (!command.starts_with('/') || (!found.empty() && !found.starts_with(vm)))
            return {};
        found = command;
    }
    return found;
}

// Without the prompt before each command; any other text as it is.
std::string without_prompts(std::string text) {
    constexpr std::string_view prompt = "$ ";
    std::string plain;
    unsigned prompts = 0;
    bool goes_on = false;
    for (const std::string_view whole : lines_of(text)) {
        std::string_view line = trimmed(whole, " \t\r");
        const bool begins = !goes_on && !line.empty();
        if (begins && !line.starts_with(prompt))
            return text;
        goes_on = line.ends_with('\\');
        if (begins)
            line.remove_prefix(prompt.size());
        prompts += begins ? 1 : 0;
        plain.append(line).append("\n");
    }
    return prompts > 1 ? plain : text;
}

// An option of QEMU's with a value behind it.
bool wants_value(std::string_view word) {
    if (!word.starts_with('-'))
        return false;
    return takes_value(word.substr(word.starts_with("--") ? 2 : 1));
}

bool begins_option(std::string_view line) {
    const size_t dashes = line.find_first_not_of('-');
    return (dashes == 1 || dashes == 2) &&
           ((line[dashes] | 0x20) >= 'a' && (line[dashes] | 0x20) <= 'z');
}

// Does a program's path of QEMU stand in the line?
bool names_qemu(std::string_view line) {
    std::istringstream text{std::string(line)};
    const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    return std::any_of(words.begin(), words.end(), [](const std::string& word) {
        const std::vector<std::string> one = {word};
        return word.starts_with('/') && find_qemu(one) != one.end();
    });
}

bool is_time(std::string_view word) {
    const size_t colon = word.find(':');
    return colon != std::string_view::npos && colon > 0 &&
           word.find_first_not_of("0123456789:.-") == std::string_view::npos;
}

// Where the options of QEMU begin, which only its name comes before, or that and the columns of
// ps(1), the last of which is a time. Nothing if there is anything else before them.
bool is_start_before_options(std::string_view before) {
    std::istringstream text{std::string(before)};
    const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    const std::vector<std::string> last(words.empty() ? words.end() : words.end() - 1, words.end());
    if (find_qemu(last) == last.end())
        return false;
    return words.size() == 1 || (words.size() == 2 && words[0] == "sudo") ||
           is_time(words[words.size() - 2]);
}

// The command line in one line, if that is all of the text, and it was wrapped before an option,
// behind an option's name or behind a comma, and nowhere else; the text as it is if not.
PastedText unwrapped(std::string text) {
    std::string all;
    std::string_view before;
    bool begun = false;
    bool broken = false;
    bool ends_with_backslash = true;
    for (const std::string_view whole : lines_of(text)) {
        std::string_view line = trimmed(whole, " \t\r");
        if (line.empty())
            continue;
        broken = broken || !ends_with_backslash;
        ends_with_backslash = trimmed(whole, "\r").ends_with('\\');
        // -m 512 \ # so much memory, in which a shell would not find a line that goes on.
        line = line.substr(0, line.find(" \\ #"));
        if (line.ends_with('\\'))
            line = trimmed(line.substr(0, line.size() - 1), " \t");
        if (line.empty())
            continue;
        const bool cut = before.ends_with(',');
        if (begun && !begins_option(line) && !wants_value(before) && !cut)
            return {text};
        const size_t end = all.size();
        all.append(all.empty() || cut ? "" : " ").append(line);
        before = line.substr(line.find_last_of(" \t") + 1);  // npos + 1 is 0
        begun = begun || all.find(" -", end) != std::string::npos;
    }
    constexpr std::string_view of_shells = "\\$`;|&<>#";
    const bool plain = all.find_first_of(of_shells) == std::string::npos;
    if (!broken || !plain || !is_start_before_options(all.substr(0, all.find(" -"))))
        return {text};
    return {all + "\n", true};
}

// The lines of a command line, or of a log with one, joined where an editor cut them at one width,
// inside of words too: three lines or more of the same length, and what follows the last of them.
PastedText without_width(const std::string& text) {
    constexpr size_t shortest = 60;
    constexpr size_t fewest = 3;
    const std::vector<std::string_view> lines = lines_of(text);
    PastedText result;
    for (size_t i = 0; i < lines.size(); i++) {
        size_t end = i;
        while (lines[i].size() >= shortest && end < lines.size() &&
               lines[end].size() == lines[i].size() && !lines[end].ends_with('\\'))
            end++;
        const bool cut = end - i >= fewest && end < lines.size() &&
                         lines[end].size() < lines[i].size() && names_qemu(lines[i]);
        for (; cut && i < end; i++)
            result.text.append(lines[i]);
        result.is_joined = result.is_joined || cut;
        result.text.append(lines[i]).append("\n");
    }
    return result.is_joined ? result : PastedText{text};
}

}  // namespace

PastedText before_pasting(std::string_view text) {
    const std::string plain = without_prompts(without_reply_marks(text));
    const std::string_view failed = failed_start(plain);
    const PastedText wide = without_width(failed.empty() ? plain : std::string(failed) + "\n");
    return wide.is_joined ? wide : unwrapped(wide.text);
}

}  // namespace tapgate
