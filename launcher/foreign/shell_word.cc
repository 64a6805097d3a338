// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell_word.h"

#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr std::string_view word_ends = " \t\n;&|<>()";

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
    return std::exchange(problem_, {});
}

std::vector<std::string> ShellWordReader::take_notes() {
    return std::exchange(notes_, {});
}

void ShellWordReader::problem(const std::string& what) {
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
    if (!value.problem.empty())
        problem(value.problem);
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

std::vector<std::string> ShellWordReader::read(bool splits) {
    fields_.clear();
    in_field_ = false;
    splits_ = splits;
    bool first = true;
    while (!at_end() && word_ends.find(peek()) == std::string_view::npos) {
        const char c = peek();
        if (c == '\\') {
            next();
            if (at_end())
                break;
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
            if (c == '*' || c == '?')
                problem("a pattern of file names (`" + std::string(1, c) + "')");
            if (c == '{' &&
                rest().substr(0, rest().find_first_of(" \n}")).find(',') != std::string_view::npos)
                problem("a list of words in braces (`{a,b}')");
            add(next());
        }
        first = false;
    }
    return fields_;
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

// What prints a word that is known without running it.
void ShellWordReader::read_command(bool quoted) {
    struct Known {
        std::string_view text;
        std::string_view word;
    };
    constexpr std::array<Known, 8> known = {{{"pwd", "PWD"},
                                             {"pwd -P", "PWD"},
                                             {"dirname $0", "dirname $0"},
                                             {"dirname \"$0\"", "dirname $0"},
                                             {"dirname -- \"$0\"", "dirname $0"},
                                             {"cd \"$(dirname \"$0\")\" && pwd", "dirname $0"},
                                             {"whoami", "USER"},
                                             {"nproc", "nproc"}}};
    const size_t begin = at_ + 1;
    unsigned depth = 0;
    bool ended = false;
    do {
        const char inner = next();
        depth += inner == '(' ? 1U : 0U;
        depth -= inner == ')' ? 1U : 0U;
        ended = depth == 0;
    } while (!ended && !at_end() && peek() != '\n');
    const std::string_view inside =
        trimmed(text_.substr(begin, ended ? at_ - begin - 1 : at_ - begin));
    const std::string what = "the output of a command ($(...))";
    for (const Known& one : known) {
        if (inside == one.text) {
            add_value(variables_.ask(std::string(one.word), what), quoted, false);
            return;
        }
    }
    if (!ended)
        problem(what);
    add_quoted(unknown_text);
}

// `$' or a backquote.
void ShellWordReader::read_expansion(bool quoted) {
    const char c = next();
    if (c == '`' && peek() == '#') {
        // `# words' between backquotes: a comment, as people write it in continued lines.
        while (!at_end() && peek() != '`' && peek() != '\n')
            next();
        if (peek() == '`')
            next();
        return;
    }
    if (c == '`') {
        while (!at_end() && peek() != '`' && peek() != '\n')
            next();
        if (peek() == '`')
            next();
        else
            problem("a backquote that is not closed");
        add_quoted(unknown_text);
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
            add_value(variables_.get(name), quoted, false);
    } else if (peek() == '$') {
        next();
        add_quoted(unknown_text);
    } else if (peek() == '@' || peek() == '*') {
        // What the script was given: nothing, as it stands here.
        notes_.push_back("$" + std::string(1, next()));
        // The empty word of "$@" goes with it.
        if (quoted && !fields_.empty() && fields_.back().empty() && peek() == '"') {
            fields_.pop_back();
            in_field_ = false;
        }
    } else {
        constexpr std::string_view special = "0123456789#?!-'\"";
        if (peek() != '\0' && special.find(peek()) != std::string_view::npos)
            problem("`$" + std::string(1, peek()) + "', which only the shell that ran it knows");
        else
            add('$');
    }
}

// ${NAME}, ${NAME:-text}, ${NAME:=text}, ${NAME[@]}, ${1:-text}; at the brace.
void ShellWordReader::read_braces(bool quoted) {
    next();
    const size_t start = at_;
    while (!at_end() && peek() != '}' && peek() != '\n')
        next();
    const std::string_view inside = text_.substr(start, at_ - start);
    if (peek() == '}')
        next();
    const size_t length = shell_name_length(inside);
    const std::string name(inside.substr(0, length));
    std::string_view rest = inside.substr(length);
    const bool plain = rest.find_first_of("$`'\"\\") == std::string_view::npos;
    if (length > 0 && rest.empty()) {
        add_value(variables_.get(name), quoted, false);
    } else if (length > 0 && (rest == "[@]" || rest == "[*]")) {
        if (quoted && !fields_.empty() && fields_.back().empty())
            fields_.pop_back(), in_field_ = false;
        add_value(variables_.get(name), quoted, true);
    } else if (length > 0 && plain && (rest.starts_with(":-") || rest.starts_with(":="))) {
        const std::string other(rest.substr(2));
        if (variables_.is_set(name)) {
            add_value(variables_.get(name), quoted, false);
            return;
        }
        if (rest.starts_with(":="))
            variables_.set(name, {other}, false, false, "", false);
        add_value({{other}, {}}, quoted, false);
    } else if (const size_t digits = inside.find_first_not_of("0123456789");
               length == 0 && digits > 0 && digits != std::string_view::npos && plain &&
               inside.substr(digits).starts_with(":-")) {
        // What the script was given: nothing, as it stands here, so its default.
        notes_.push_back("${" + shown(inside) + "}, but for its default");
        add_value({{std::string(inside.substr(digits + 2))}, {}}, quoted, false);
    } else if (length > 0 && plain && (rest.starts_with(":+") || rest.starts_with("+")) &&
               !variables_.is_set(name)) {
        if (quoted)
            add_quoted("");
    } else {
        problem("`${" + shown(inside) + "}'");
    }
}

}  // namespace tapgate
