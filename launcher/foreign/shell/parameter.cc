// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellWordReader: ${...}.
#include <algorithm>
#include <cstddef>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/test.h"
#include "launcher/foreign/shell/word.h"

namespace tapgate {

namespace {

std::string in_case(std::string text, size_t bytes, bool upper) {
    for (size_t i = 0; i < std::min(bytes, text.size()); i++) {
        const bool changes =
            upper ? text[i] >= 'a' && text[i] <= 'z' : text[i] >= 'A' && text[i] <= 'Z';
        if (changes)
            text[i] = static_cast<char>(text[i] ^ 0x20);
    }
    return text;
}

// The part from `offset' on, of `size' elements; nothing if a shell refuses it.
std::optional<std::pair<size_t, size_t>> part_of(size_t size, long long offset,
                                                 std::optional<long long> length) {
    const auto whole = static_cast<long long>(size);
    offset = offset < 0 ? std::max(offset + whole, 0LL) : std::min(offset, whole);
    const long long end = !length       ? whole
                          : *length < 0 ? whole + *length
                                        : std::min(offset + *length, whole);
    if (end < offset)
        return std::nullopt;
    return std::pair(static_cast<size_t>(offset), static_cast<size_t>(end - offset));
}

}  // namespace

// The parts of ${...}.
struct ShellWordReader::Parameter {
    explicit Parameter(std::string_view inside) : text(inside), how(inside) {
        constexpr std::string_view digits = "0123456789";
        if (how.size() > 1 && (how[0] == '#' || how[0] == '!')) {
            prefix = how[0];
            how.remove_prefix(1);
        }
        size_t length = shell_name_length(how);
        if (length == 0)
            length = std::min(how.find_first_not_of(digits), how.size());
        if (length == 0 && (how.starts_with('@') || how.starts_with('*') || how == "#"))
            length = 1;
        name = how.substr(0, length);
        how.remove_prefix(length);
        if (const size_t end = how.find(']');
            how.starts_with('[') && end != std::string_view::npos) {
            element = how.substr(1, end - 1);
            how.remove_prefix(end + 1);
        }
        is_given = name == "@" || name == "*" || name == "#" ||
                   (!name.empty() && digits.find(name[0]) != std::string_view::npos && name != "0");
        const std::string_view which = element.empty() ? name : element;
        is_all = which == "@" || which == "*";
        is_star = which == "*";
    }

    std::string_view text;
    std::string_view name;     // of a variable, a number, `@', `*' or `#'
    std::string_view element;  // what is in brackets after it
    std::string_view how;      // what is done with its value
    char prefix = '\0';        // `#': its length; `!': what it names, or an array's numbers
    bool is_given = false;     // an argument
    bool is_all = false;       // each element becomes a word
    bool is_star = false;      // but in quotes they are one word
};

// The text of a word within a word, expanded.
std::string ShellWordReader::expanded(std::string_view text, Patterns patterns) {
    if (depth_ == deepest) {
        add_problem({"words that are nested too deep"});
        return {};
    }
    ShellWordReader inner(text, variables_, line_, depth_ + 1);
    std::string all = inner.read_all(patterns);
    take_over(inner);
    return all;
}

void ShellWordReader::take_over(ShellWordReader& inner) {
    add_problem(inner.take_problem());
    for (std::string& note : inner.take_notes())
        notes_.push_back(std::move(note));
}

void ShellWordReader::add_default(std::string_view text, bool quoted) {
    if (depth_ == deepest) {
        add_problem({"words that are nested too deep"});
        return;
    }
    ShellWordReader inner(text, variables_, line_, depth_ + 1);
    const std::vector<std::string> words = inner.read_value(quoted, splits_ && !quoted);
    take_over(inner);
    for (size_t i = 0; i < words.size(); i++) {
        in_field_ = in_field_ && i == 0;
        add_quoted(words[i]);
    }
    if (quoted && words.empty())
        add_quoted("");
}

std::optional<long long> ShellWordReader::sum_of(std::string_view text) {
    return shell_arithmetic(trimmed(expanded(text)), variables_);
}

// ${NAME%PATTERN} and the like; nothing if the result is unknown.
std::optional<std::string> ShellWordReader::trimmed_by(const std::string& word,
                                                       std::string_view how) {
    const bool longest = how.size() > 1 && how[1] == how[0];
    const bool at_end = how[0] == '%';
    const std::string pattern = expanded(how.substr(longest ? 2 : 1), Patterns::compared);
    for (size_t i = 0; i <= word.size(); i++) {
        const size_t taken = longest ? word.size() - i : i;
        const std::string part = at_end ? word.substr(word.size() - taken) : word.substr(0, taken);
        const Truth matches = matches_pattern(pattern, part);
        variables_.charge(part.size());
        if (matches == Truth::unknown)
            return std::nullopt;
        if (matches == Truth::yes)
            return at_end ? word.substr(0, word.size() - taken) : word.substr(taken);
    }
    return word;
}

// ${NAME/TEXT/TEXT} and the like, without patterns; nothing if the result is unknown.
std::optional<std::string> ShellWordReader::replaced_by(const std::string& word,
                                                        std::string_view how) {
    how.remove_prefix(1);
    const char kind = !how.empty() && std::string_view("/#%").find(how[0]) != std::string_view::npos
                          ? how[0]
                          : '\0';
    how.remove_prefix(kind == '\0' ? 0 : 1);
    const size_t slash = std::min(how.find('/'), how.size());
    const std::string from = expanded(how.substr(0, slash), Patterns::compared);
    const std::string to = expanded(how.substr(std::min(slash + 1, how.size())));
    if (from.empty() || from.find_first_of("*?[\\") != std::string::npos ||
        how.find_first_of("\\\"'&") != std::string_view::npos)
        return std::nullopt;
    if (kind == '#' || kind == '%') {
        if (!(kind == '#' ? word.starts_with(from) : word.ends_with(from)))
            return word;
        return kind == '#' ? to + word.substr(from.size())
                           : word.substr(0, word.size() - from.size()) + to;
    }
    std::string result;
    size_t at = 0;
    for (size_t found = word.find(from); found != std::string::npos; found = word.find(from, at)) {
        variables_.charge(found - at + to.size());
        result += word.substr(at, found - at) + to;
        at = found + from.size();
        if (kind != '/')
            break;
    }
    return result + word.substr(at);
}

// Does what is written after the name, except for defaults; false if the result is unknown.
bool ShellWordReader::change(std::vector<std::string>& words, const Parameter& parameter) {
    const std::string_view how = parameter.how;
    if (how.starts_with(':')) {
        const size_t colon = std::min(how.find(':', 1), how.size());
        const auto offset = sum_of(how.substr(1, colon - 1));
        const auto length = colon < how.size() ? sum_of(how.substr(colon + 1)) : std::nullopt;
        if (!offset || (colon < how.size() && !length))
            return false;
        if (parameter.is_all) {
            // Argument 0 is the script's name.
            const long long first = *offset - (parameter.is_given ? 1 : 0);
            const auto part = part_of(words.size(), first, length);
            if (!part || (parameter.is_given && first < 0) || (length && *length < 0))
                return false;
            const auto begin = words.begin() + static_cast<std::ptrdiff_t>(part->first);
            words =
                std::vector<std::string>(begin, begin + static_cast<std::ptrdiff_t>(part->second));
            return true;
        }
        for (std::string& word : words) {
            const auto part = part_of(word.size(), *offset, length);
            if (!part)
                return false;
            word = word.substr(part->first, part->second);
        }
        return true;
    }
    for (std::string& word : words) {
        std::optional<std::string> changed;
        if (how[0] == '%' || how[0] == '#')
            changed = trimmed_by(word, how);
        else if (how[0] == '/')
            changed = replaced_by(word, how);
        else if (how == "^" || how == ",")
            changed = in_case(word, 1, how == "^");
        else if (how == "^^" || how == ",,")
            changed = in_case(word, word.size(), how == "^^");
        if (!changed)
            return false;
        word = *changed;
    }
    return how[0] != '@';
}

ShellVariables::Value ShellWordReader::value_of(const Parameter& parameter) {
    const std::string name(parameter.name);
    if (name == "0")
        return variables_.script_name();
    if (name == "BASH_SOURCE")
        return variables_.told(variables_.surroundings().script(),
                               {"`${" + shown(parameter.text) + "}'"});
    if (name == "@" || name == "*") {
        const auto* const known = variables_.arguments();
        return known != nullptr ? *known : ShellVariables::Value();
    }
    if (parameter.is_given)
        return variables_.argument(name);
    if (variables_.is_map(name))
        return value_in_map(parameter);
    ShellVariables::Value value = variables_.get(name);
    if (parameter.is_all || value.problem.is_hard())
        return value;
    if (!parameter.element.empty()) {
        const auto number = sum_of(parameter.element);
        const auto size = static_cast<long long>(value.words.size());
        if (!number || *number < -size)
            return {{}, {"`${" + shown(parameter.text) + "}'"}};
        const long long at = *number < 0 ? *number + size : *number;
        if (at >= size)
            value.words.clear();
        else
            value.words = {value.words[static_cast<size_t>(at)]};
    }
    if (value.words.size() > 1)
        value.words.resize(1);
    return value;
}

// A value of an associative array. Only the shell knows the order of its elements.
ShellVariables::Value ShellWordReader::value_in_map(const Parameter& parameter) {
    const std::string name(parameter.name);
    if (parameter.is_all) {
        ShellVariables::Value keys = variables_.keys(name);
        if (parameter.prefix == '#')
            return keys;
        // A single element needs no order.
        if (!keys.problem && keys.words.size() <= 1)
            return parameter.prefix == '!' || keys.words.empty()
                       ? keys
                       : variables_.get_element(name, keys.words[0]);
    }
    const std::string key = expanded(parameter.element);
    const bool assigns = parameter.how.starts_with('=') || parameter.how.starts_with(":=");
    if (parameter.is_all || parameter.prefix == '!' || key.empty() || is_unknown(key) || assigns)
        return {{}, {"`${" + shown(parameter.text) + "}'"}};
    return variables_.get_element(name, key);
}

// ${#NAME}, ${#NAME[@]}, ${!NAME[@]}
ShellVariables::Value ShellWordReader::referred(const Parameter& parameter,
                                                ShellVariables::Value value) {
    if (parameter.prefix == '\0' || value.problem.is_hard())
        return value;
    if (is_unknown(value.words))
        return {{std::string(unknown_text)}};
    const size_t count = value.words.size();
    if (parameter.prefix == '#') {
        const size_t size = value.words.empty() ? 0 : value.words[0].size();
        value.words = {std::to_string(parameter.is_all ? count : size)};
    } else if (parameter.is_given) {
        return {{}, {"`${" + shown(parameter.text) + "}'"}};
    } else if (!variables_.is_map(std::string(parameter.name))) {
        for (size_t i = 0; i < count; i++)
            value.words[i] = std::to_string(i);
    }
    return value;
}

// ${!NAME} and, for instance, ${!NAME:-text}: NAME's value says which variable, element or argument
// is meant.
void ShellWordReader::read_indirect(const Parameter& parameter, bool quoted) {
    const ShellVariables::Value value = value_of(parameter);
    const bool known = !value.problem && value.words.size() == 1 && !is_unknown(value.words);
    const std::string meant = known ? value.words[0] : std::string();
    const std::string whole = meant + std::string(parameter.how);
    const Parameter target(meant);
    // After `declare -n NAME=OTHER', it would be OTHER's name. ${!NAME*} are all such names.
    const bool refers = variables_.meant(std::string(parameter.name)) != parameter.name;
    const bool lists = parameter.how == "*" || parameter.how == "@";
    if (value.problem.is_hard())
        add_problem(value.problem);
    else if (is_unknown(value.words))
        add_value({{std::string(unknown_text)}}, quoted, false);
    else if (refers || lists || target.prefix != '\0' || target.name.empty() || !target.how.empty())
        add_problem({"`${" + shown(parameter.text) + "}'"});
    else
        read_parameter(Parameter(whole), quoted);
}

// Takes what is between the braces, and the closing one.
std::string_view ShellWordReader::take_braces(bool quoted) {
    const std::string_view from = rest().substr(0, rest().find('\n'));
    size_t end = 0;
    char quote = '\0';
    unsigned depth = 1;
    for (; end < from.size(); end++) {
        const char c = from[end];
        if (c == '\\' && quote != '\'')
            end++;
        else if (c == quote)
            quote = '\0';
        else if (quote == '\0' && (c == '"' || (c == '\'' && !quoted)) &&
                 from.find(c, end + 1) != std::string_view::npos)
            quote = c;
        else if (c == '{' && quote == '\0')
            depth++;
        else if (c == '}' && quote == '\0' && --depth == 0)
            break;
    }
    const std::string_view inside = from.substr(0, std::min(end, from.size()));
    skip(std::min(end + 1, from.size()));
    return inside;
}

// ${NAME}, ${NAME:-text}, ${NAME:=text}, ${NAME[@]}, ${1:-text}, ${!NAME}; begins at the brace.
void ShellWordReader::read_braces(bool quoted) {
    next();
    const Parameter parameter(take_braces(quoted));
    if (parameter.name.empty())
        add_problem({"`${" + shown(parameter.text) + "}'"});
    else if (parameter.prefix == '!' && !parameter.is_all)
        read_indirect(parameter, quoted);
    else
        read_parameter(parameter, quoted);
}

void ShellWordReader::read_parameter(const Parameter& parameter, bool quoted) {
    if (parameter.prefix != '\0' && !parameter.how.empty()) {
        add_problem({"`${" + shown(parameter.text) + "}'"});
        return;
    }
    const bool unknown = parameter.is_given && variables_.arguments() == nullptr;
    if (unknown && parameter.is_all && parameter.prefix == '\0') {
        notes_.push_back("${" + shown(parameter.text) + "}");
        add_all({}, quoted, parameter.is_star);
        return;
    }
    add_parameter(parameter, referred(parameter, value_of(parameter)), quoted);
}

void ShellWordReader::add_parameter(const Parameter& parameter, const ShellVariables::Value& value,
                                    bool quoted) {
    const bool colon = parameter.how.starts_with(':');
    const std::string_view how = parameter.how.substr(colon ? 1 : 0);
    const char kind = how.empty() ? '\0' : how[0];
    const auto& words = value.words;
    const bool is_set =
        !words.empty() &&
        (!colon || std::any_of(words.begin(), words.end(),
                               [](const std::string& word) { return !word.empty(); }));
    const auto add = [&](const ShellVariables::Value& one) {
        if (parameter.is_all && parameter.prefix != '#')
            add_all(one, quoted, parameter.is_star);
        else
            add_value(one, quoted, false);
    };
    if (kind == '\0' || kind == '?' || (is_set && (kind == '-' || kind == '='))) {
        if (kind == '?' && !is_set && !value.problem)
            add_problem({"`${" + shown(parameter.text) + "}'"});
        add(value);
    } else if (kind == '-' || kind == '=' || kind == '+') {
        // Arguments and typed input count as empty here, so their default applies; so it does for
        // what the environment may set.
        if (value.problem.is_hard() ||
            (kind == '+' && value.problem && (is_set || variables_.is_open())))
            add_problem(value.problem);
        else if (value.problem && kind == '+')
            notes_.push_back("${" + shown(parameter.text) + "}");
        else if (value.problem && (value.name.empty() || variables_.is_open()))
            notes_.push_back("${" + shown(parameter.text) + "}, but for its default");
        if (kind == '=')
            variables_.assign(std::string(parameter.name), {{expanded(how.substr(1))}});
        // "${a[@]+...}" without elements is no word at all.
        const bool empty_list = parameter.is_all && !parameter.is_star && words.empty();
        if (kind != '+' || is_set)
            add_default(how.substr(1), quoted);
        else if (quoted && empty_list)
            add_all({}, quoted, false);
        else if (quoted)
            add_quoted("");
    } else {
        ShellVariables::Value changed = value;
        if (is_unknown(words))
            changed.words = {std::string(unknown_text)};
        else if (!value.problem.is_hard() && !change(changed.words, parameter))
            add_problem({"`${" + shown(parameter.text) + "}'"});
        add(changed);
    }
}

}  // namespace tapgate
