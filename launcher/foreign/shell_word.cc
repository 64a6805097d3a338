// SPDX-License-Identifier: GPL-2.0-or-later
//
// Of ShellWordReader: quotes and escapes. What stands in for values is in shell_expansion.cc.
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
    if (marks_ && quoted && !all && !value.problem.empty() && !value.name.empty()) {
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
void ShellWordReader::add_arguments(size_t first, bool quoted) {
    // The empty word of "$@" goes with it.
    if (quoted && !fields_.empty() && fields_.back().empty()) {
        fields_.pop_back();
        in_field_ = false;
    }
    if (const auto* const known = variables_.arguments(); known != nullptr)
        add_value({{known->begin() + static_cast<std::ptrdiff_t>(std::min(first, known->size())),
                    known->end()},
                   {},
                   false},
                  quoted, true);
}

std::vector<std::string> ShellWordReader::read(bool splits) {
    fields_.clear();
    in_field_ = had_quote_ = false;
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
// in a log, and must not swallow the lines below; unless it begins a word, or there has been one in
// the word, and ends somewhere.
bool ShellWordReader::closes(char quote) const {
    const std::string_view rest = text_.substr(at_ + 1);
    bool escaped = false;
    for (size_t i = 0; i < rest.size(); i++) {
        const char c = rest[i];
        if (c == quote && !escaped)
            return true;
        if (c == '\n' && !escaped && !had_quote_ && at_ > 0 && is_word_byte(text_[at_ - 1]))
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
        if (c == '\'') {
            had_quote_ = true;
            return;
        }
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
        if (c == '"') {
            had_quote_ = true;
            return;
        }
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

}  // namespace tapgate
