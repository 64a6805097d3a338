// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: scripts in the script: functions, `eval', `bash -c', here-documents.
#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

constexpr unsigned deepest_script = 3;

}  // namespace

// `eval' reads its words once more.
void ShellReader::read_eval() {
    const std::string text = joined({command_.words.begin() + 1, command_.words.end()});
    const size_t length = shell_name_length(text);
    script_.is_open = script_.is_open || command_.problem || is_unknown(text);
    if (command_.problem && length > 0 && length < text.size() &&
        (text[length] == '=' || text[length] == '+'))
        variables_.forget(text.substr(0, length), "set by `eval'");
    else if (command_.environment.empty())
        run(text, command_.line);
    else
        run_with_environment(text);
}

// NAME=value eval TEXT
void ShellReader::run_with_environment(const std::string& text) {
    std::map<std::string, std::optional<ShellVariables::Value>> before;
    for (const auto& [name, value] : command_.environment) {
        before.try_emplace(name, variables_.saved(name));
        set(name, {value}, false, false);
    }
    run(text, command_.line);
    for (const auto& [name, value] : before)
        variables_.restore(name, value);
}

// Runs `text' in this shell: the body of a function, or the words of `eval'.
void ShellReader::run(const std::string& text, unsigned line, Truth most) {
    if (nesting_ >= deepest_call)
        throw LauncherError("the script's functions call each other without end");
    count_round();
    ShellReader reader(text, variables_, script_, line, nesting_ + 1);
    reader.directory_ = directory_;
    reader.printed_ = printed_;
    reader.is_part_ = true;
    reader.flow_.start_with(std::min(reach(), most), flow_.soft());
    std::vector<ShellCommand> commands = reader.read();
    directory_ = reader.directory_;
    const bool starts = std::any_of(commands.begin(), commands.end(), [](const ShellCommand& one) {
        return is_start_of_qemu(one.words);
    });
    if (reader.unsure_from_ && follows() && !starts) {
        for (const std::string& name : variables_.changed_since(*reader.unsure_from_))
            variables_.forget(name, "set under a condition");
    }
    if (const auto failure = reader.flow_.failure())
        flow_.fail({failure->line, flow_.depth() + 1, commands_.size() + failure->commands});
    called_ = reader.unsure_ ? ShellStatus() : reader.returned_.value_or(reader.flow_.status());
    if (script_.is_left && flow_.leave_subshell())
        script_.is_left = false;
    else if (script_.is_left)
        flow_.leave();
    notes_.insert(notes_.end(), reader.notes_.begin(), reader.notes_.end());
    for (ShellCommand& command : commands) {
        if (!command.problem)
            command.problem = command_.problem;
        command.background = command.background || command_.background;
        command.redirections.insert(command.redirections.end(), command_.redirections.begin(),
                                    command_.redirections.end());
        // The line of the call, as that is where calls differ.
        command.line = command_.line;
        commands_.push_back(std::move(command));
    }
}

// One word of `bash -c TEXT' or `alias NAME=TEXT' is a script.
void ShellReader::read_nested() {
    constexpr std::array<std::string_view, 5> others = {"flock", "runuser", "script", "sg", "su"};
    // For these, a word that contains blanks is a script.
    constexpr std::array<std::string_view, 4> takers = {"nbdkit", "tmux", "watch", "xterm"};
    bool shell = false;
    const std::vector<std::string> words = command_.words;
    const bool takes = !words.empty() && is_one_of(last_part(words[0]), takers);
    for (size_t i = 0; i < words.size(); i++) {
        if (words[0] == "alias" && i > 0)
            read_nested(words[i].substr(words[i].find('=') + 1), script_, command_.line, false);
        else if (takes && i > 0 && words[i].find(' ') != std::string::npos)
            read_in_shell(words[i], std::nullopt, command_.line, false, std::nullopt);
        else if (shell && i + 1 < words.size() && words[i].starts_with('-') &&
                 words[i].ends_with('c') && !words[i].starts_with("--"))
            read_in_shell(words[i + 1], arguments_behind(i + 2), command_.line, false,
                          name_behind(i + 2));
        shell = shell || is_shell(words[i]) || is_one_of(last_part(words[i]), others);
    }
}

// bash -c TEXT NAME ARGUMENTS; for `su' and the like they are unknown.
std::optional<ShellVariables::Value> ShellReader::arguments_behind(size_t name) const {
    const auto& words = command_.words;
    const auto end = words.begin() + static_cast<std::ptrdiff_t>(name);
    if (std::none_of(words.begin(), end, is_shell))
        return std::nullopt;
    const auto first = std::min(name + 1, words.size());
    return ShellVariables::Value{{words.begin() + static_cast<std::ptrdiff_t>(first), words.end()},
                                 command_.problem};
}

// The script's $0: NAME, or the shell as it was called.
ShellVariables::Value ShellReader::name_behind(size_t name) const {
    const auto& words = command_.words;
    const auto end = words.begin() + static_cast<std::ptrdiff_t>(name);
    const auto shell = std::find_if(words.begin(), end, is_shell);
    if (shell == end)
        return {{}, {"`$0', which only the shell that runs it knows,"}};
    return {{name < words.size() ? words[name] : *shell}, command_.problem};
}

// Reads a script of another shell, which has the exported variables, or none.
void ShellReader::read_in_shell(const std::string& text,
                                std::optional<ShellVariables::Value> arguments, unsigned line,
                                bool written, std::optional<ShellVariables::Value> name) {
    Script script{.reading = script_.reading, .rounds = script_.rounds, .text = script_.text};
    const size_t mark = variables_.mark();
    variables_.enter_shell(!written, std::move(arguments));
    if (name)
        variables_.set_script_name(std::move(*name));
    if (!written) {
        for (const auto& [variable, value] : command_.environment)
            variables_.set(variable, {{value}, command_.problem}, false, false, false);
    }
    read_nested(text, script, line, written);
    variables_.undo_to(mark);
    script_.rounds = script.rounds;
    for (const auto& one : script.tests)
        script_.tests.push_back(one);
    for (const std::string& one : script.others)
        script_.others.push_back(one);
}

void ShellReader::read_nested(const std::string& text, Script& script, unsigned line,
                              bool written) {
    if (nesting_ >= deepest_script)
        return;
    ShellReader reader(text, variables_, script, line, nesting_ + 1);
    std::vector<ShellCommand> commands = reader.read();
    // If the text is not fully known, that is a problem of all commands in it.
    for (ShellCommand& command : commands) {
        if (!written && !command.problem)
            command.problem = command_.problem;
    }
    take_over(std::move(commands), written);
}

void ShellReader::take_over(std::vector<ShellCommand> commands, bool written) {
    for (ShellCommand& command : commands) {
        if (command.directory.empty() && !written)
            command.directory = directory_;
        command.is_written = command.is_written || written;
        commands_.push_back(std::move(command));
    }
}

// The lines of here-documents are no commands, unless they go into a file, or to a shell.
void ShellReader::read_documents() {
    for (const Document& document : std::exchange(documents_, {})) {
        const unsigned line = words_.line();
        std::string text = take_document(document);
        if (!document.is_a_script || !follows())
            continue;
        if (document.expands)
            text = ShellWordReader(text, variables_, line).read_document();
        read_in_shell(text, std::nullopt, line, document.is_written);
    }
    documents_before_ = 0;
}

// The document's lines, up to its end.
std::string ShellReader::take_document(const Document& document) {
    std::string text;
    while (!words_.at_end()) {
        const std::string_view rest = words_.rest();
        std::string_view here = rest.substr(0, rest.find('\n'));
        skip_line();
        if (!words_.at_end())
            next();
        if (document.without_tabs)
            here.remove_prefix(std::min(here.find_first_not_of('\t'), here.size()));
        if (here == document.end)
            break;
        text.append(here).append("\n");
    }
    return text;
}

// The text of the first document that begins in this line; nothing if that is unknown.
std::optional<std::string> ShellReader::text_ahead(const Document& document) {
    const std::string_view behind = words_.rest().substr(0, words_.rest().find('\n'));
    // With these, the line may go on after its end.
    if (behind.find_first_of("'\"\\`$(") != std::string_view::npos)
        return std::nullopt;
    const size_t place = words_.place();
    const unsigned line = words_.line();
    skip_line();
    if (!words_.at_end())
        next();
    const size_t begin = words_.place();
    std::string text = take_document(document);
    variables_.charge(words_.place() - begin);
    words_.go_to(place, line);
    if (!document.expands)
        return text;
    text = ShellWordReader(text, variables_, line + 1).read_document();
    // What is unknown has stayed there as it was written.
    if (text.find_first_of("$`") != std::string::npos)
        return std::nullopt;
    return text;
}

}  // namespace tapgate
