// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/script.h"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell/json.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/shell/refusal.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// A command as ps(1) prints it, with unquoted words of which some contain blanks, turned into a
// shell's. Nothing if the line is for a shell already.
std::optional<std::string> words_as_printed(std::string_view line) {
    constexpr std::array<std::string_view, 4> with_blanks = {"-append", "--append", "-smbios",
                                                             "--smbios"};
    std::vector<std::string> words;
    std::string_view option;
    while (!(line = trimmed(line, " \t\n")).empty()) {
        size_t end = length_of_json(line);
        const bool json = end > 0;
        end = json ? end : std::min(line.find_first_of(" \t"), line.size());
        const std::string_view word = line.substr(0, end);
        line.remove_prefix(end);
        if (!json && word.find_first_of("'\"`$&|<>") != std::string_view::npos)
            return std::nullopt;
        if (word == "\\")
            return std::nullopt;
        // -append root=/dev/sda ro is one value; but a path is a disk's.
        const bool goes_on = !word.starts_with('-') && !word.starts_with('/') &&
                             is_one_of(option, with_blanks) && words.back() != option;
        if (goes_on)
            words.back().append(" ").append(word);
        else
            words.emplace_back(word);
        if (word.starts_with('-'))
            option = word;
    }
    return shell_text(words);
}

// What EVE-NG's wrapper was given: `qemu_wrapper -t NAME -F PROGRAM -d 0 -- ARGUMENTS'. Nothing if
// the line does not start one.
std::optional<std::string> start_by_wrapper(std::string_view line) {
    constexpr std::string_view name = "/qemu_wrapper ";
    constexpr std::string_view program_option = " -F ";
    constexpr std::string_view end = " -- ";
    const size_t wrapper = line.find(name);
    if (wrapper == std::string_view::npos)
        return std::nullopt;
    line.remove_prefix(wrapper);
    const size_t at = line.find(program_option);
    const size_t arguments = at == std::string_view::npos ? at : line.find(end, at);
    if (arguments == std::string_view::npos)
        return std::nullopt;
    const std::string_view behind = trimmed(line.substr(at + program_option.size()));
    const std::string command = std::string(behind.substr(0, behind.find(' ')))
                                    .append(line.substr(arguments + end.size() - 1));
    return words_as_printed(command).value_or(command);
}

// The line without what comes before QEMU's name: a prompt, or the columns of ps(1), the last of
// which is a time.
std::string without_columns(std::string_view line) {
    // > qemu-kvm ... comes after a prompt, or from a mail.
    if (line.starts_with('>')) {
        const std::string_view quoted = trimmed(line.substr(1));
        const std::string word(quoted.substr(0, quoted.find_first_of(" \t")));
        const std::vector<std::string> words = {word};
        if (word.starts_with('-') || word == "sudo" || find_qemu(words) != words.end())
            return std::string(quoted);
    }
    if (const auto start = start_by_wrapper(line))
        return *start;
    std::string_view before;
    bool has_number = false;
    for (size_t at = line.find_first_not_of(" \t"); at < line.size();
         at = line.find_first_not_of(" \t", at)) {
        const size_t end = std::min(line.find_first_of(" \t", at), line.size());
        const std::string_view word = line.substr(at, end - at);
        const std::string_view name = last_part(word);
        if (name.starts_with("qemu-system-") || name == "qemu-kvm" || name == "kvm" ||
            name == "qemu") {
            const size_t colon = before.find(':');
            const bool time = colon != std::string_view::npos && colon > 0 &&
                              before.find_first_not_of("0123456789:.-") == std::string_view::npos;
            if (has_number && time) {
                const std::string_view command = line.substr(at);
                return words_as_printed(command).value_or(std::string(command));
            }
            // A user may have that name.
            if (has_number || word.find('/') != std::string_view::npos || name.size() > 4)
                break;
        }
        has_number = has_number || word.find_first_not_of("0123456789") == std::string_view::npos;
        // ps auxf draws a tree.
        if (word != "\\_" && word != "|")
            before = word;
        at = end;
    }
    return std::string(line);
}

// #!/bin/sh -e
void set_options(std::string_view first_line, ShellVariables& variables) {
    if (!first_line.starts_with("#!"))
        return;
    bool shell = false;
    std::istringstream words{std::string(first_line.substr(2))};
    for (std::string word; words >> word;) {
        for (const char letter : {'a', 'e'}) {
            if (shell && word.starts_with('-') && word.find(letter) != std::string::npos)
                variables.set_option(letter, true, false);
        }
        shell = shell || is_shell(word);
    }
}

}  // namespace

std::vector<ShellCommand> read_shell_script(std::string_view text, const Surroundings& surroundings,
                                            ShellReading reading,
                                            const std::vector<std::string>& arguments) {
    if (text.find('\0') != std::string_view::npos)
        throw LauncherError("there is a NUL byte in it, which no script can have");
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark))
        text.remove_prefix(byte_order_mark.size());
    // Line ends of Windows would break continued lines.
    std::string unix_text;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n')
            unix_text += text[i];
    }
    std::string commands;
    for (std::string_view rest = unix_text; !rest.empty();) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        commands += without_columns(rest.substr(0, end));
        commands += end < rest.size() ? "\n" : "";
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    ShellVariables variables(surroundings);
    set_options(std::string_view(commands).substr(0, commands.find('\n')), variables);
    if (!arguments.empty())
        variables.set_arguments({arguments});
    ShellReader::Script script{.reading = reading, .text = commands};
    std::vector<ShellCommand> all = ShellReader(commands, variables, script, 1, 0).read();
    const bool starts = std::any_of(all.begin(), all.end(), [](const ShellCommand& one) {
        return find_qemu(one.words) != one.words.end();
    });
    if (script.is_left_before_qemu && script.left != 0 && script.failed == 0 && !starts)
        throw ScriptRefused("line " + std::to_string(script.left) +
                            " leaves the script before it starts QEMU");
    if (script.failed != 0 && !starts)
        throw ScriptRefused("line " + std::to_string(script.failed) +
                            " fails, and `set -e' ends the script there, before it starts QEMU");
    for (ShellCommand& command : all) {
        command.tests = script.tests;
        command.others = script.others;
        command.images = script.images;
        command.unknown = variables.unknown();
        command.of_host = variables.of_host();
        command.has_arguments = !arguments.empty();
    }
    return all;
}

}  // namespace tapgate
