// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellWordReader: variables, arguments and the output of commands. ${...} is in
// parameter.cc.
#include <algorithm>
#include <array>
#include <cstddef>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/test.h"
#include "launcher/foreign/shell/word.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

// Redirections such as `2>/dev/null' do not count as words of the command.
ShellOutput ShellWordReader::output_of(std::string_view command) {
    ShellOutput parts;
    ShellWordReader reader(command, variables_, line_, depth_ + 1);
    while (!reader.at_end()) {
        const char c = reader.peek();
        if (c == ' ' || c == '\t' || c == '\n' || (c == '\\' && reader.peek(1) == '\n')) {
            reader.skip(c == '\\' ? 2 : 1);
        } else if (c == '>' && reader.peek(1) != '(') {
            if (!parts.words.empty() && (parts.words.back() == "2" || parts.words.back() == "1"))
                parts.words.pop_back();
            while (reader.peek() == '>' || reader.peek() == '&' || reader.peek() == ' ')
                reader.next();
            reader.read(false);
        } else if (std::string_view(";&|<()>#").find(c) != std::string_view::npos) {
            break;
        } else {
            for (std::string& word : reader.read(true))
                parts.words.push_back(std::move(word));
        }
    }
    parts.rest = trimmed(reader.rest(), " \t\n");
    parts.problem = reader.take_problem();
    return parts;
}

// $((TEXT))
void ShellWordReader::add_sum(std::string_view text) {
    const std::string sum = expanded(text);
    const std::vector<std::string> names = shell_sum(sum, variables_).names;
    for (const std::string& name : names)
        variables_.assign(name, {{}, ShellProblem{"set by `$((...))'"}.of_variable(name)});
    const auto value = names.empty() ? shell_arithmetic(sum, variables_) : std::nullopt;
    add_quoted(value ? std::to_string(*value) : std::string(unknown_text));
}

// What `cat <<END', its lines and END print; nothing if it is another command, or unknown.
std::optional<std::string> ShellWordReader::document_of(std::string_view command) {
    constexpr std::string_view cat = "cat ";
    const size_t begin = command.find("<<");
    const size_t end = std::min(command.find('\n'), command.size());
    if (!command.starts_with(cat) || begin > end || end == command.size() ||
        !trimmed(command.substr(cat.size(), begin - cat.size())).empty())
        return std::nullopt;
    std::string_view mark = trimmed(command.substr(begin + 2, end - begin - 2));
    const bool without_tabs = mark.starts_with('-');
    mark.remove_prefix(without_tabs ? 1 : 0);
    const bool quoted =
        mark.size() > 2 && (mark[0] == '\'' || mark[0] == '"') && mark.back() == mark[0];
    if (quoted)
        mark = mark.substr(1, mark.size() - 2);
    if (mark.empty() || shell_name_length(mark) != mark.size())
        return std::nullopt;
    std::string lines;
    for (std::string_view rest = command.substr(end + 1);;) {
        const size_t length = std::min(rest.find('\n'), rest.size());
        std::string_view line = rest.substr(0, length);
        while (without_tabs && line.starts_with('\t'))
            line.remove_prefix(1);
        // Other commands may follow, or the end is missing.
        if ((line == mark) != (length == rest.size()))
            return std::nullopt;
        if (line == mark)
            break;
        lines.append(line).append("\n");
        rest.remove_prefix(length + 1);
    }
    if (quoted)
        return without_line_ends(lines);
    ShellWordReader inner(lines, variables_, line_, depth_ + 1);
    std::string text = without_line_ends(inner.read_document());
    // What is unknown has stayed there as it was written.
    if (text.find_first_of("$`") != std::string::npos)
        return std::nullopt;
    return text;
}

// Is it more than a program and its arguments?
bool ShellWordReader::is_list(const ShellOutput& output) {
    constexpr std::array<std::string_view, 8> keywords = {"if",    "case", "for", "[[",
                                                          "while", "{",    "[",   "test"};
    // $(<FILE) prints what the file contains.
    if (output.words.empty() && output.rest.starts_with('<'))
        return false;
    return !output.rest.empty() || (!output.words.empty() && is_one_of(output.words[0], keywords));
}

void ShellWordReader::add_output(std::string_view command, bool quoted) {
    const std::string_view inside = trimmed(command, " \t\n");
    if (inside.starts_with('(') && inside.ends_with(')') && inside.size() > 2) {
        add_sum(inside.substr(1, inside.size() - 2));
        return;
    }
    if (depth_ < deepest) {
        if (const auto text = document_of(inside)) {
            variables_.charge(text->size());
            add_value({{*text}}, quoted, false);
            return;
        }
        const ShellOutput output = output_of(inside);
        const bool starts =
            is_start_of_qemu(output.words) || output.rest.find("qemu") != std::string::npos;
        if (starts)
            variables_.start(std::string(inside), line_);
        auto value = known_output(output, variables_);
        if (!value && !starts && is_list(output))
            value = variables_.printed_by_list(std::string(inside), line_);
        if (value) {
            for (const std::string& word : value->words)
                variables_.charge(word.size());
            add_value(*value, quoted, false);
            return;
        }
    }
    add_quoted(unknown_text);
}

size_t length_of_command(std::string_view text) {
    constexpr size_t longest = 4096;
    unsigned depth = 0;
    char quote = '\0';
    for (size_t i = 0; i < std::min(text.size(), longest); i++) {
        const char c = text[i];
        if (c == '\\' && quote != '\'')
            i++;
        else if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

// $(...), over several lines if its end is found.
void ShellWordReader::read_command(bool quoted) {
    const size_t end = length_of_command(rest());
    if (end == 0) {
        while (!at_end() && peek() != '\n')
            next();
        add_problem({"the output of a command ($(...))"});
        add_quoted(unknown_text);
        return;
    }
    const std::string_view inside = rest().substr(1, end - 2);
    add_output(inside, quoted);
    skip(end);
}

// `$' or a backquote.
void ShellWordReader::read_expansion(bool quoted) {
    const char c = next();
    if (c == '`') {
        std::string inside;
        while (!at_end() && peek() != '`' && peek() != '\n') {
            const bool escapes =
                peek() == '\\' && std::string_view(quoted ? "$`\\\"" : "$`\\").find(peek(1)) !=
                                      std::string_view::npos;
            skip(escapes ? 1 : 0);
            inside += next();
        }
        // `# words' between backquotes is a comment, as used in continued lines.
        const bool comment = inside.starts_with('#');
        if (peek() == '`')
            next();
        else if (!comment)
            add_problem({"a backquote that is not closed"});
        if (!comment)
            add_output(inside, quoted);
        return;
    }
    if (peek() == '(') {
        read_command(quoted);
    } else if (peek() == '[' && rest().substr(0, rest().find_first_of("\n\"]")).size() > 1) {
        const std::string_view inside = rest().substr(1, rest().find_first_of("\n]") - 1);
        add_sum(inside);
        skip(inside.size() + 2);
    } else if (peek() == '{') {
        read_braces(quoted);
    } else if (const size_t length = shell_name_length(rest()); length > 0) {
        const std::string name(rest().substr(0, length));
        skip(length);
        if (name == "RANDOM")
            add_quoted(unknown_text);
        else
            add_value(name == "BASH_SOURCE"
                          ? variables_.told(variables_.surroundings().script(), {"`$BASH_SOURCE'"})
                          : variables_.get(name),
                      quoted, false);
    } else {
        read_special(quoted);
    }
}

// "$@": in a function, each argument becomes a word. For the script's own arguments it is empty, as
// none are given here.
void ShellWordReader::add_arguments(char how, bool quoted) {
    const auto* const known = variables_.arguments();
    if (known == nullptr)
        notes_.push_back("$" + std::string(1, how));
    if (known != nullptr || (peek() == '"' && how == '@'))
        add_all(known != nullptr ? *known : ShellVariables::Value(), quoted, how == '*');
}

// $1, $@ and the like; behind the `$'.
void ShellWordReader::read_special(bool quoted) {
    constexpr std::string_view special = "?!-";
    const char c = peek();
    if (c == '$') {
        next();
        add_quoted(unknown_text);
    } else if (c == '@' || c == '*') {
        next();
        add_arguments(c, quoted);
    } else if (c == '0') {
        next();
        add_value(variables_.script_name(), quoted, false);
    } else if ((c >= '1' && c <= '9') || c == '#') {
        add_value(variables_.argument(std::string(1, next())), quoted, false);
    } else if (c != '\0' && special.find(c) != std::string_view::npos) {
        add_problem({"`$" + std::string(1, c) + "', which only the shell that runs it knows,"});
    } else {
        add('$');
    }
}

}  // namespace tapgate
