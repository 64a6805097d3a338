// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell_word.h"

#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/shell_output.h"
#include "launcher/foreign/shell_test.h"
#include "launcher/foreign/words.h"

namespace tapgate {

namespace {

constexpr std::string_view word_ends = " \t\n;&|<>()";
// Words in words: deeper than any script has them.
constexpr unsigned deepest = 8;

bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

char ShellWordReader::next() {
    const char c = text_[at_++];
    line_ += c == '\n' ? 1 : 0;
    return c;
}

void ShellWordReader::skip(size_t bytes) {
    for (; bytes > 0 && !at_end(); bytes--)
        next();
}

std::string ShellWordReader::take_problem() {
    hard_ = false;
    return std::exchange(problem_, {});
}

std::vector<std::string> ShellWordReader::take_notes() {
    return std::exchange(notes_, {});
}

void ShellWordReader::problem(const std::string& what, bool soft) {
    hard_ = hard_ || !soft;
    if (problem_.empty())
        problem_ = what;
}

void ShellWordReader::add(char c) {
    if (!in_field_)
        fields_.emplace_back();
    in_field_ = true;
    fields_.back() += c;
}

void ShellWordReader::add_quoted(std::string_view text) {
    if (!in_field_)
        fields_.emplace_back();
    in_field_ = true;
    fields_.back() += text;
}

// As the shell does where there are no quotes: blanks in a variable end the word.
void ShellWordReader::add_split(std::string_view text) {
    for (const char c : text) {
        if (splits_ && (c == ' ' || c == '\t' || c == '\n'))
            in_field_ = false;
        else
            add(c);
    }
}

// `all`: of an array each element, a word each; else its first.
void ShellWordReader::add_value(const ShellVariables::Value& value, bool quoted, bool all) {
    // In quotes it is one word, whatever it is.
    if (!value.problem.empty() && !value.soft && quoted && !all && !value.name.empty()) {
        variables_.note_unknown(value.name);
        add_quoted(unknown_text);
        return;
    }
    if (!value.problem.empty())
        problem(value.problem, value.soft);
    bool first = true;
    for (const std::string& word : value.words) {
        if (!first && !all)
            break;
        if (!first)
            in_field_ = false;
        if (quoted)
            add_quoted(word);
        else
            add_split(word);
        first = false;
    }
    if (quoted && value.words.empty() && !all)
        add_quoted("");
}

// "$@": of a function each argument, a word each. What the script was given: nothing, as it stands
// here.
void ShellWordReader::add_arguments(bool quoted) {
    // The empty word of "$@" goes with it.
    if (quoted && !fields_.empty() && fields_.back().empty()) {
        fields_.pop_back();
        in_field_ = false;
    }
    if (const auto* const known = variables_.arguments(); known != nullptr)
        add_value({*known, {}, false}, quoted, true);
}

std::vector<std::string> ShellWordReader::read(bool splits) {
    fields_.clear();
    in_field_ = false;
    splits_ = splits;
    bool first = true;
    while (!at_end() && word_ends.find(peek()) == std::string_view::npos) {
        read_part(first);
        first = false;
    }
    return fields_;
}

std::string ShellWordReader::read_all() {
    fields_.clear();
    in_field_ = splits_ = false;
    patterns_ = true;
    while (!at_end())
        read_part(false);
    std::string all;
    for (const std::string& field : fields_)
        all += field;
    return all;
}

std::string ShellWordReader::read_document() {
    std::string all;
    while (!at_end()) {
        const char c = peek();
        if (c == '\\' && std::string_view("$`\\\n").find(peek(1)) != std::string_view::npos &&
            at_ + 1 < text_.size()) {
            next();
            if (const char escaped = next(); escaped != '\n')
                all += escaped;
        } else if (c == '$') {
            const size_t begin = at_;
            fields_.clear();
            in_field_ = splits_ = false;
            problem_.clear();
            read_expansion(true);
            // An empty value is a value; one that nobody knows is left as it stands.
            if (problem_.empty()) {
                for (const std::string& field : fields_)
                    all += field;
            } else {
                all += text_.substr(begin, at_ - begin);
            }
        } else {
            all += next();
        }
    }
    take_problem();
    return all;
}

void ShellWordReader::read_part(bool first) {
    const char c = peek();
    if (c == '\\') {
        next();
        if (at_end())
            return;
        if (const char escaped = next(); escaped != '\n')
            add_quoted({&escaped, 1});
    } else if (c == '\'') {
        read_single_quotes();
    } else if (c == '"') {
        read_double_quotes();
    } else if (c == '$' && peek(1) == '\'') {
        read_ansi_quotes();
    } else if (c == '$' || c == '`') {
        read_expansion(false);
    } else if (c == '~' && first) {
        read_tilde();
    } else {
        if ((c == '*' || c == '?') && !patterns_)
            problem("a pattern of file names (`" + std::string(1, c) + "')");
        if (c == '{' && !patterns_ &&
            rest().substr(0, rest().find_first_of(" \n}")).find(',') != std::string_view::npos)
            problem("a list of words in braces (`{a,b}')");
        add(next());
    }
}

// ~ and ~name, up to a slash.
void ShellWordReader::read_tilde() {
    const std::string_view rest = text_.substr(at_ + 1);
    const size_t end = std::min(rest.find_first_of(" \t\n;&|<>()/\"'$`\\"), rest.size());
    const std::string name(rest.substr(0, end));
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return is_word_byte(c) || c == '_' || c == '-' || c == '.';
    });
    if (!plain || (end < rest.size() &&
                   std::string_view("\"'$`\\").find(rest[end]) != std::string_view::npos)) {
        add(next());
        return;
    }
    skip(end + 1);
    const ShellVariables::Value value =
        name.empty() ? variables_.ask("HOME", "`~'")
                     : variables_.ask("~" + name, "`~" + name + "', whose home nobody knows,");
    if (!value.problem.empty())
        problem(value.problem);
    add_quoted(value.words.empty() ? std::string() : value.words[0]);
}

// A quote that is open at the line's end is taken for an apostrophe in a text that is no script, as
// in a log, and must not swallow the lines below; unless it begins a word, and ends somewhere.
bool ShellWordReader::closes(char quote) const {
    const std::string_view rest = text_.substr(at_ + 1);
    bool escaped = false;
    for (size_t i = 0; i < rest.size(); i++) {
        const char c = rest[i];
        if (c == quote && !escaped)
            return true;
        if (c == '\n' && !escaped && at_ > 0 && is_word_byte(text_[at_ - 1]))
            return false;
        escaped = quote == '"' && c == '\\' && !escaped;
    }
    return false;
}

void ShellWordReader::read_single_quotes() {
    const bool closed = closes('\'');
    next();
    add_quoted("");
    while (!at_end() && (closed || peek() != '\n')) {
        const char c = next();
        if (c == '\'')
            return;
        add(c);
    }
    problem("a quote that is not closed");
}

void ShellWordReader::read_double_quotes() {
    const bool closed = closes('"');
    next();
    add_quoted("");
    while (!at_end() && (closed || peek() != '\n')) {
        const char c = peek();
        if (c == '$' || c == '`') {
            read_expansion(true);
            continue;
        }
        next();
        if (c == '"')
            return;
        constexpr std::string_view escapable = "$`\"\\\n";
        if (c == '\\' && !at_end() && escapable.find(peek()) != std::string_view::npos) {
            if (const char escaped = next(); escaped != '\n')
                add(escaped);
        } else {
            add(c);
        }
    }
    problem("a quote that is not closed");
}

// $'...': only without escapes.
void ShellWordReader::read_ansi_quotes() {
    next();
    const std::string_view inside = rest().substr(1, rest().find('\'', 1) - 1);
    if (inside.find('\\') != std::string_view::npos)
        problem("`$'...'' with escapes");
    read_single_quotes();
}

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
            add_arguments(alone);
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
            add_value({{at_end ? word.substr(0, word.size() - taken) : word.substr(taken)},
                       {},
                       false},
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
        add_arguments(quoted);
    } else if (length == 0 || (!numbered && !is_set()) || (!how.starts_with('%') && !how.starts_with('#')) ||
               colon || !add_trimmed(name, how, quoted)) {
        problem("`${" + shown(inside) + "}'", numbered);
    }
}

}  // namespace tapgate
