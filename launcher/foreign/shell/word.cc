// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellWordReader: quotes and escapes. The values of variables and commands are in
// expansion.cc.
#include "launcher/foreign/shell/word.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/json.h"

namespace tapgate {

namespace {

bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

// Two digits for a character that is not NUL.
std::optional<char> parse_hex(std::string_view digits) {
    unsigned value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2 || value == 0)
        return std::nullopt;
    return static_cast<char>(value);
}

// The words or the range of numbers in braces; nothing if it is more than that.
std::vector<std::string> words_of_list(std::string_view inside) {
    constexpr long most = 500;
    std::vector<std::string> words;
    if (const size_t dots = inside.find(".."); dots != std::string_view::npos) {
        const auto first = parse_whole<long>(inside.substr(0, dots), 0, 99999);
        const auto last = parse_whole<long>(inside.substr(dots + 2), 0, 99999);
        // {01..10} has leading zeros.
        const bool padded =
            (dots > 1 && inside[0] == '0') || (inside.size() > dots + 3 && inside[dots + 2] == '0');
        const std::string_view from = inside.substr(0, dots);
        const std::string_view to = inside.substr(dots + 2);
        if (from.size() == 1 && to.size() == 1 && is_letter(from[0]) && is_letter(to[0]) &&
            from[0] <= to[0]) {
            for (char c = from[0]; c <= to[0]; c++)
                words.emplace_back(1, c);
            return words;
        }
        if (!first || !last || padded || std::abs(*last - *first) > most)
            return {};
        for (long i = *first; i != *last; i += *first < *last ? 1 : -1)
            words.push_back(std::to_string(i));
        words.push_back(std::to_string(*last));
        return words;
    }
    if (inside.find_first_of("{'\"\\$`*?;&|<>()") != std::string_view::npos)
        return {};
    for (size_t at = 0; at <= inside.size();) {
        const size_t end = std::min(inside.find(',', at), inside.size());
        words.emplace_back(inside.substr(at, end - at));
        at = end + 1;
    }
    return words;
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

std::vector<std::string> ShellWordReader::take_notes() {
    return std::exchange(notes_, {});
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
    const std::string_view special = patterns_ == Patterns::compared  ? "*?[]\\"
                                     : patterns_ == Patterns::regular ? "*?[]\\.+^$(){}|"
                                                                      : "";
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos)
            fields_.back() += '\\';
        fields_.back() += c;
    }
}

// What separates words in an unquoted variable: blanks, or what IFS says.
std::string ShellWordReader::separators() {
    const ShellVariables::Value said = variables_.get("IFS");
    if (splits_)
        add_problem(said.problem);
    return said.words.empty() ? std::string() : said.words[0];
}

// Splits as the shell does without quotes: each of `ends` ends a word.
void ShellWordReader::add_split(std::string_view text, std::string_view ends) {
    bool behind_blank = false;  // one that has ended a word
    for (const char c : text) {
        const bool blank = c == ' ' || c == '\t' || c == '\n';
        if (!splits_ || ends.find(c) == std::string_view::npos) {
            if (patterns_ == Patterns::files && splits_ && (c == '*' || c == '?'))
                add_problem({"a pattern of file names (`" + std::string(1, c) + "')"});
            add(c);
            behind_blank = false;
        } else if (blank) {
            behind_blank = behind_blank || in_field_;
            in_field_ = false;
        } else {
            // Between two of these there is an empty word.
            if (!in_field_ && !behind_blank)
                fields_.emplace_back();
            in_field_ = behind_blank = false;
        }
    }
}

// With `all`, each element of an array becomes a word; else only the first counts.
void ShellWordReader::add_value(const ShellVariables::Value& value, bool quoted, bool all) {
    if (marks_ && quoted && !all && value.problem && !value.name.empty()) {
        variables_.note_unknown(value.name);
        add_quoted(unknown_text);
        return;
    }
    // NAME="$NAME more", where nothing has set NAME before, or another branch would set it.
    if (value.problem.soft && !value.name.empty() &&
        (value.name == assigned_ || variables_.is_owned(value.name)))
        notes_.push_back("$" + value.name);
    else
        add_problem(value.problem);
    const bool whole = !quoted && fields_.empty() && !in_field_ && at_word_end();
    if (whole && value.problem.soft && value.words.empty())
        absent_ = value.name;
    const bool as_it_is = quoted || (all && !splits_);
    const std::string ends = as_it_is || value.words.empty() ? std::string() : separators();
    bool first = true;
    for (const std::string& word : value.words) {
        if (!first && !all)
            break;
        if (!first)
            in_field_ = false;
        if (as_it_is)
            add_quoted(word);
        else
            add_split(word, ends);
        first = false;
    }
    if (quoted && value.words.empty() && !all)
        add_quoted("");
}

// "${NAME[*]}" and "$*" become one word, "${NAME[@]}" and "$@" one for each element, or none.
void ShellWordReader::add_all(ShellVariables::Value value, bool quoted, bool star) {
    if (quoted && star) {
        const ShellVariables::Value separators = variables_.get("IFS");
        std::string joined;
        for (size_t i = 0; i < value.words.size(); i++) {
            if (i > 0 && !separators.words.empty())
                joined += separators.words[0].substr(0, 1);
            joined += value.words[i];
        }
        value.words = {joined};
    } else if (quoted && value.words.empty() && in_field_ && fields_.back().empty()) {
        fields_.pop_back();
        in_field_ = false;
    }
    add_value(value, quoted, true);
}

bool ShellWordReader::at_word_end() const {
    return at_end() || shell_word_ends.find(peek()) != std::string_view::npos;
}

std::vector<std::string> ShellWordReader::read(bool splits) {
    fields_.clear();
    in_field_ = had_quote_ = false;
    splits_ = splits;
    begin_ = at_;
    bool first = true;
    while (!at_word_end()) {
        read_part(first);
        first = false;
    }
    return fields_;
}

std::vector<std::string> ShellWordReader::read_value(bool quoted, bool splits) {
    fields_.clear();
    in_field_ = false;
    splits_ = splits;
    patterns_ = splits && !quoted ? Patterns::files : Patterns::plain;
    while (!at_end()) {
        const char c = peek();
        if (quoted && c != '$' && c != '`') {
            next();
            if (c == '\\' && std::string_view("$`\"\\}").find(peek()) != std::string_view::npos)
                add(next());
            else if (c != '"')
                add(c);
        } else if (quoted) {
            read_expansion(true);
        } else if (splits && (c == ' ' || c == '\t' || c == '\n')) {
            next();
            in_field_ = false;
        } else {
            read_part(at_ == 0);
        }
    }
    return fields_;
}

std::string ShellWordReader::read_all(Patterns patterns) {
    fields_.clear();
    in_field_ = splits_ = false;
    patterns_ = patterns;
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
            problem_ = {};
            read_expansion(true);
            // An empty value counts; an unknown one stays as it was written.
            if (!problem_) {
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
    } else if (c == '$' && peek(1) == '"') {
        next();
    } else if (c == '\'') {
        read_single_quotes();
    } else if (c == '"') {
        read_double_quotes();
    } else if (c == '$' && peek(1) == '\'') {
        read_ansi_quotes();
    } else if (c == '$' || c == '`') {
        read_expansion(false);
    } else if (c == '~' && (first || is_behind_name())) {
        read_tilde();
    } else if (const size_t json = first && splits_ ? length_of_json(rest()) : 0; json > 0) {
        add_quoted(rest().substr(0, json));
        skip(json);
    } else if (c == '{' && splits_ && patterns_ == Patterns::files) {
        read_list();
    } else {
        if ((c == '*' || c == '?') && splits_ && patterns_ == Patterns::files)
            add_problem({"a pattern of file names (`" + std::string(1, c) + "')"});
        add(next());
    }
}

// NAME=~/x, and in an assignment also NAME=a:~/x.
bool ShellWordReader::is_behind_name() const {
    const std::string_view before = text_.substr(begin_, at_ - begin_);
    const size_t name = shell_name_length(before);
    const bool assigns = !splits_ || (name > 0 && before.substr(name).starts_with('='));
    return assigns && (before.ends_with(':') || (splits_ && name + 1 == before.size()));
}

// {a,b} and {1..3}: a word for each, with the rest of the word around it.
void ShellWordReader::read_list() {
    const std::string_view inside = rest().substr(1, rest().find_first_of(" \t\n}") - 1);
    variables_.charge(inside.size());  // looked through for each brace
    const std::string_view before = text_.substr(begin_, at_ - begin_);
    if (inside.find(',') == std::string_view::npos && inside.find("..") == std::string_view::npos) {
        add(next());
        return;
    }
    const std::vector<std::string> words = words_of_list(inside);
    if (words.empty() || lists_ == deepest ||
        before.find_first_of("$`") != std::string_view::npos) {
        add_problem({"a list of words in braces (`{a,b}')"});
        add(next());
        return;
    }
    lists_++;
    const std::string front = in_field_ ? fields_.back() : std::string();
    if (in_field_)
        fields_.pop_back();
    skip(inside.size() + 2);
    const size_t place = at_;
    const unsigned line = line_;
    for (const std::string& word : words) {
        go_to(place, line);
        in_field_ = false;
        for (const char c : front + word)
            add(c);
        while (!at_word_end())
            read_part(false);
        variables_.charge(front.size() + word.size() + at_ - place);
    }
    in_field_ = false;
    lists_--;
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
        name.empty() ? variables_.told(variables_.surroundings().variable("HOME"), {"`~'"})
                     : variables_.told(variables_.surroundings().home_of(name),
                                       {"`~" + name + "', whose home directory is not known,"});
    add_problem(value.problem);
    add_quoted(value.words.empty() ? std::string() : value.words[0]);
}

// A quote that is still open at the line's end may be an apostrophe in a text that is no script,
// such as a log, and must not swallow the lines below. It counts as a quote if it begins a word, or
// comes after another in the word, and if it is closed somewhere.
bool ShellWordReader::closes(char quote) const {
    const std::string_view rest = text_.substr(at_ + 1);
    bool escaped = false;
    for (const char c : rest) {
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
        add_quoted({&c, 1});
    }
    add_problem({"a quote that is not closed"});
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
                add_quoted({&escaped, 1});
        } else {
            add_quoted({&c, 1});
        }
    }
    add_problem({"a quote that is not closed"});
}

// $'...' has C's escapes; characters by number only as \xHH.
void ShellWordReader::read_ansi_quotes() {
    skip(2);
    add_quoted("");
    while (!at_end() && peek() != '\'') {
        char c = next();
        if (c == '\\' && !at_end()) {
            constexpr std::string_view letters = "ntr\\'\"?abefv";
            constexpr std::string_view bytes = "\n\t\r\\'\"?\a\b\x1b\f\v";
            const char escaped = next();
            if (const size_t at = letters.find(escaped); at != std::string_view::npos) {
                c = bytes[at];
            } else if (const auto byte = parse_hex(rest().substr(0, 2)); escaped == 'x' && byte) {
                c = *byte;
                skip(2);
            } else {
                add_problem({"`\\" + std::string(1, escaped) + "' in `$'...''"});
            }
        }
        add_quoted({&c, 1});
    }
    if (at_end())
        add_problem({"a quote that is not closed"});
    skip(1);
    had_quote_ = true;
}

}  // namespace tapgate
