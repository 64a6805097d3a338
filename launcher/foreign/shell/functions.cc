// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: functions of the script, and what they print.
#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/body.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

// NAME() { ... } and NAME() ( ... ), after the brackets; the body is kept for calls.
void ShellReader::read_function(const std::string& name) {
    skip_blanks(true);
    const std::string_view rest = words_.rest();
    const bool braces = rest.starts_with('{');
    const bool subshell = rest.starts_with('(') && !rest.starts_with("((");
    const size_t length = follows() && (braces || subshell) ? length_of_body(rest) : 0;
    if (length > 0 && reach() != Truth::no)
        script_.functions.define(
            name, {std::string(braces ? rest.substr(1, length - 2) : rest.substr(0, length)),
                   words_.line(), reach()});
    words_.skip(length);
    drop_command();
}

// Calls a function of the script. A problem with the arguments goes along with them.
void ShellReader::call(const ShellFunction& function) {
    variables_.enter({{command_.words.begin() + 1, command_.words.end()}, command_.problem});
    for (const auto& [name, value] : command_.environment) {
        variables_.hide(name);
        set(name, {value}, false, false);
    }
    command_.problem = {};
    // A copy, as the function may define itself anew.
    const ShellFunction copy = function;
    run(copy.body, copy.line, copy.defined);
    variables_.leave();
}

// $(NAME ARGUMENTS) is like a subshell, of which nothing stays but what it prints.
std::optional<ShellVariables::Value> ShellReader::printed_by(
    const std::vector<std::string>& words) {
    const ShellFunction* const found = words.empty() ? nullptr : script_.functions.find(words[0]);
    if (found == nullptr)
        return std::nullopt;
    const ShellFunction function = *found;  // it may define itself anew
    if (nesting_ >= deepest_call || !follows() || function.defined != Truth::yes)
        return ShellVariables::Value{{std::string(unknown_text)}};
    variables_.enter({{words.begin() + 1, words.end()}});
    ShellVariables::Value value = printed_in_subshell(function.body, function.line);
    variables_.leave();
    return value;
}

// $(TEXT), if that is more than a program and its arguments.
std::optional<ShellVariables::Value> ShellReader::printed_by_list(const std::string& text,
                                                                  unsigned line) {
    if (nesting_ >= deepest_call || !follows() || reach() == Truth::no)
        return std::nullopt;
    return printed_in_subshell(text, line);
}

ShellVariables::Value ShellReader::printed_in_subshell(const std::string& text, unsigned line) {
    ShellVariables::Value value{{std::string(unknown_text)}};
    count_round();
    const bool is_left = script_.is_left;
    const Script::Options options = script_.options;
    const size_t functions = script_.functions.mark();
    const size_t mark = variables_.mark();
    Printed printed;
    ShellReader reader(text, variables_, script_, line, nesting_ + 1);
    reader.directory_ = directory_;
    reader.printed_ = &printed;
    reader.is_part_ = true;
    std::vector<ShellCommand> commands = reader.read();
    variables_.undo_to(mark);
    script_.functions.undo_to(functions);
    script_.is_left = is_left;
    script_.options = options;
    std::erase_if(commands, [](const ShellCommand& one) { return !is_start_of_qemu(one.words); });
    const bool starts = !commands.empty();
    if (reach() != Truth::no)
        take_over(std::move(commands), false);
    script_.printed_status = printed.known && !reader.unsure_
                                 ? reader.returned_.value_or(reader.flow_.status())
                                 : ShellStatus();
    if (printed.known && !starts)
        value.words = {without_line_ends(std::move(printed.text))};
    return value;
}

// $(TEXT) as a subshell, in which QEMU may be started.
void ShellReader::read_output(const std::string& text, unsigned line) {
    if (nesting_ >= deepest_call)
        return;
    if (reach() == Truth::no) {
        note_tests();
        pass_over("$(" + shown(text) + ")");
        return;
    }
    count_round();
    const bool is_left = script_.is_left;
    const Script::Options options = script_.options;
    const size_t functions = script_.functions.mark();
    const size_t mark = variables_.mark();
    ShellReader reader(text, variables_, script_, line, nesting_ + 1);
    reader.directory_ = directory_;
    reader.is_part_ = true;
    reader.flow_.start_with(reach(), flow_.soft());
    std::vector<ShellCommand> commands = reader.read();
    variables_.undo_to(mark);
    script_.functions.undo_to(functions);
    script_.is_left = is_left;
    script_.options = options;
    std::erase_if(commands, [](const ShellCommand& one) { return !is_start_of_qemu(one.words); });
    take_over(std::move(commands), false);
}

// Takes what a command prints in a function that was called for its output.
void ShellReader::print() {
    constexpr std::array<std::string_view, 26> silent = {
        "[",       "[[",       "test",    ":",        "true",  "false",   "cd",   "local", "export",
        "declare", "set",      "typeset", "readonly", "shift", "return",  "exit", "break", "unset",
        "let",     "continue", "mkdir",   "sleep",    "read",  "getopts", "trap", "exec"};
    const auto& words = command_.words;
    const bool elsewhere = std::any_of(
        command_.redirections.begin(), command_.redirections.end(), [](const std::string& one) {
            return one.starts_with('>') || one.starts_with("1>") || one.starts_with("&>");
        });
    if (words.empty() || elsewhere || reach() == Truth::no || is_one_of(words[0], silent) ||
        script_.functions.find(words[0]) != nullptr)
        return;
    std::optional<std::string> text =
        words == std::vector<std::string>{"cat"} ? input_ : shell_printed(words);
    if (!text) {
        if (const auto known = known_output({words, {}, command_.problem}, variables_))
            text = joined(known->words) + "\n";
    }
    if (!text || reach() != Truth::yes || command_.problem) {
        printed_->known = false;
        return;
    }
    variables_.charge(text->size());
    note_tests();
    printed_->text += *text;
}

}  // namespace tapgate
