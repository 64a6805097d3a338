// SPDX-License-Identifier: GPL-2.0-or-later
//
// Of ShellWordReader: variables, arguments and the output of commands.
#include <algorithm>
#include <cstddef>

#include "launcher/base/text.h"
#include "launcher/foreign/shell_output.h"
#include "launcher/foreign/shell_test.h"
#include "launcher/foreign/shell_word.h"

namespace tapgate {

namespace {

// Words in words: deeper than any script has them.
constexpr unsigned deepest = 8;

}  // namespace

// What a word within a word stands for.
std::string ShellWordReader::expanded(std::string_view text) {
    if (depth_ == deepest) {
        problem("words in words in words");
        return {};
    }
    ShellWordReader inner(text, variables_, line_, depth_ + 1);
    std::string all = inner.read_all();
    const bool soft = !inner.has_hard_problem();
    if (const std::string what = inner.take_problem(); !what.empty())
        problem(what, soft);
    for (std::string& note : inner.take_notes())
        notes_.push_back(std::move(note));
    return all;
}

// `2>/dev/null' and the like are no words of the command.
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
        } else if (std::string_view(";&|<()>").find(c) != std::string_view::npos) {
            break;
        } else {
            for (std::string& word : reader.read(true))
                parts.words.push_back(std::move(word));
        }
    }
    parts.rest = trimmed(reader.rest(), " \t\n");
    parts.soft = !reader.has_hard_problem();
    parts.problem = reader.take_problem();
    return parts;
}

void ShellWordReader::add_output(std::string_view command, bool quoted) {
    const std::string_view inside = trimmed(command, " \t\n");
    if (inside.starts_with('(') && inside.ends_with(')') && inside.size() > 2) {
        const std::string text = expanded(inside.substr(1, inside.size() - 2));
        if (const auto sum = shell_arithmetic(text, variables_)) {
            add_quoted(std::to_string(*sum));
            return;
        }
    } else if (depth_ < deepest) {
        if (const auto value = known_output(output_of(inside), variables_)) {
            add_value(*value, quoted, false);
            return;
        }
    }
    add_quoted(unknown_text);
}

// $(...), over several lines where its end is found.
void ShellWordReader::read_command(bool quoted) {
    constexpr size_t longest = 4096;
    const std::string_view from = rest().substr(0, longest);
    unsigned depth = 0;
    char quote = '\0';
    size_t end = 0;
    for (size_t i = 0; i < from.size() && end == 0; i++) {
        const char c = from[i];
        if (c == '\\' && quote != '\'') {
            i++;
        } else if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(') {
            depth++;
        } else if (c == ')') {
            depth--;
            end = depth == 0 ? i + 1 : 0;
        }
    }
    if (end == 0) {
        while (!at_end() && peek() != '\n')
            next();
        problem("the output of a command ($(...))");
        add_quoted(unknown_text);
        return;
    }
    const std::string_view inside = from.substr(1, end - 2);
    add_output(inside, quoted);
    skip(end);
}

// `$' or a backquote.
void ShellWordReader::read_expansion(bool quoted) {
    const char c = next();
    if (c == '`') {
        const std::string_view inside = rest().substr(0, rest().find_first_of("`\n"));
        // `# words' between backquotes: a comment, as people write it in continued lines.
        const bool comment = inside.starts_with('#');
        skip(inside.size());
        if (peek() == '`')
            next();
        else if (!comment)
            problem("a backquote that is not closed");
        if (!comment)
            add_output(inside, quoted);
        return;
    }
    if (peek() == '(') {
        read_command(quoted);
    } else if (peek() == '{') {
        read_braces(quoted);
    } else if (const size_t length = shell_name_length(rest()); length > 0) {
        const std::string name(rest().substr(0, length));
        skip(length);
        if (name == "RANDOM")
            add_quoted(unknown_text);
        else
            add_value(name == "BASH_SOURCE" ? variables_.ask("$0", "`$BASH_SOURCE'")
                                            : variables_.get(name),
                      quoted, false);
    } else {
        read_special(quoted);
    }
}

// $1, $@ and the like; behind the `$'.
void ShellWordReader::read_special(bool quoted) {
    constexpr std::string_view special = "?!-'\"";
    const char c = peek();
    if (c == '$') {
        next();
        add_quoted(unknown_text);
    } else if (c == '@' || c == '*') {
        const std::string written = "$" + std::string(1, next());
        if (variables_.arguments() == nullptr)
            notes_.push_back(written);
        const bool alone = quoted && peek() == '"';
        if (alone || variables_.arguments() != nullptr)
            add_arguments(0, alone);
    } else if (c == '0') {
        next();
        add_value(variables_.ask("$0", "`$0', which only the shell that ran it knows"), quoted,
                  false);
    } else if ((c >= '1' && c <= '9') || c == '#') {
        add_value(variables_.argument(std::string(1, next())), quoted, false);
    } else if (c != '\0' && special.find(c) != std::string_view::npos) {
        problem("`$" + std::string(1, c) + "', which only the shell that ran it knows");
    } else {
        add('$');
    }
}

void ShellWordReader::add_default(std::string_view text, bool quoted) {
    add_value({{expanded(text)}, {}, false}, quoted, false);
}

// ${NAME%PATTERN} and its kind.
bool ShellWordReader::add_trimmed(const std::string& name, std::string_view how, bool quoted) {
    const ShellVariables::Value value =
        name == "0" ? variables_.ask("$0", "`$0'") : variables_.get(name);
    if (!value.problem.empty() || value.words.size() != 1)
        return false;
    const std::string& word = value.words[0];
    const bool longest = how.size() > 1 && how[1] == how[0];
    const bool at_end = how[0] == '%';
    const std::string pattern = expanded(how.substr(longest ? 2 : 1));
    for (size_t i = 0; i <= word.size(); i++) {
        const size_t taken = longest ? word.size() - i : i;
        const std::string part = at_end ? word.substr(word.size() - taken) : word.substr(0, taken);
        const Truth matches = matches_pattern(pattern, part);
        if (matches == Truth::unknown)
            return false;
        if (matches == Truth::yes) {
            add_value(
                {{at_end ? word.substr(0, word.size() - taken) : word.substr(taken)}, {}, false},
                quoted, false);
            return true;
        }
    }
    add_value(value, quoted, false);
    return true;
}

// ${NAME}, ${NAME:-text}, ${NAME:=text}, ${NAME[@]}, ${1:-text}; at the brace.
void ShellWordReader::read_braces(bool quoted) {
    next();
    const std::string_view from = rest().substr(0, rest().find('\n'));
    size_t end = 0;
    for (unsigned depth = 1; end < from.size(); end++) {
        depth += from[end] == '{' ? 1U : 0U;
        depth -= from[end] == '}' ? 1U : 0U;
        if (depth == 0)
            break;
    }
    const std::string_view inside = from.substr(0, end);
    skip(std::min(end + 1, from.size()));
    size_t length = shell_name_length(inside);
    const bool numbered = length == 0 && !inside.empty() && inside[0] >= '0' && inside[0] <= '9';
    if (numbered)
        length = std::min(inside.find_first_not_of("0123456789"), inside.size());
    const std::string name(inside.substr(0, length));
    const std::string_view rest = inside.substr(length);
    const auto value = [&] {
        if (name == "0" || name == "BASH_SOURCE")
            return variables_.ask("$0", "`${" + shown(inside) + "}'");
        return numbered ? variables_.argument(name) : variables_.get(name);
    };
    const auto is_set = [&] {
        return numbered ? !variables_.argument(name).words.empty() : variables_.is_set(name);
    };
    const bool colon = rest.starts_with(':');
    const std::string_view how = rest.substr(colon ? 1 : 0);
    if (length > 0 && (rest.empty() || (name == "BASH_SOURCE" && rest == "[0]"))) {
        add_value(value(), quoted, false);
    } else if (length > 0 && !numbered && (rest == "[@]" || rest == "[*]")) {
        if (quoted && !fields_.empty() && fields_.back().empty())
            fields_.pop_back(), in_field_ = false;
        add_value(value(), quoted, true);
    } else if (length > 0 && (how.starts_with('-') || how.starts_with('='))) {
        if (is_set()) {
            add_value(value(), quoted, false);
            return;
        }
        // What the script was given: nothing, as it stands here, so its default.
        if (numbered && variables_.arguments() == nullptr)
            notes_.push_back("${" + shown(inside) + "}, but for its default");
        if (how.starts_with('='))
            variables_.set(name, {{expanded(how.substr(1))}, {}, false}, false, false, false);
        add_default(how.substr(1), quoted);
    } else if (length > 0 && how.starts_with('+')) {
        if (is_set() && value().problem.empty())
            add_default(how.substr(1), quoted);
        else if (is_set())
            problem("`${" + shown(inside) + "}'");
        else if (quoted)
            add_quoted("");
    } else if (length > 0 && how.starts_with('?') && is_set()) {
        add_value(value(), quoted, false);
    } else if (inside.starts_with('@') && variables_.arguments() == nullptr) {
        notes_.push_back("${" + shown(inside) + "}");
        add_arguments(0, quoted);
    } else if (const auto first =
                   parse_whole<size_t>(inside.substr(std::min<size_t>(2, inside.size())), 1, 99);
               inside.starts_with("@:") && first) {
        add_arguments(*first - 1, quoted);
    } else if (length == 0 || (!numbered && !is_set()) ||
               (!how.starts_with('%') && !how.starts_with('#')) || colon ||
               !add_trimmed(name, how, quoted)) {
        problem("`${" + shown(inside) + "}'", numbered);
    }
}

}  // namespace tapgate
