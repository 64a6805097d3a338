// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/other_shells.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

bool is_letter(char c) {
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

// ${(f)NAME}, ${NAME:h}, $NAME:h, $NAME[1] and the like.
bool has_form_of_zsh(std::string_view text) {
    for (size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
        const std::string_view name = text.substr(at + 1);
        const std::string_view behind = name.substr(shell_name_length(name));
        if (behind.size() < name.size() &&
            (behind.starts_with('[') ||
             (behind.starts_with(':') && behind.size() > 1 && is_letter(behind[1]))))
            return true;
    }
    for (size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 1)) {
        constexpr size_t longest = 256;
        const std::string_view rest = text.substr(at + 2, longest);
        const std::string_view inside = rest.substr(0, rest.find('}'));
        const size_t colon = inside.find(':');
        const bool modified =
            colon != std::string_view::npos && colon + 1 < inside.size() &&
            std::string_view("-=+?0123456789 ").find(inside[colon + 1]) == std::string_view::npos;
        if (inside.empty() || modified ||
            std::string_view("(=~^#+").find(inside[0]) != std::string_view::npos)
            return true;
    }
    return false;
}

// Does NAME= at the beginning of a line, as the word at `place', come before, so that the value is
// not split?
bool is_value(std::string_view before, size_t place) {
    const std::string_view word = before.substr(place);
    const size_t name = shell_name_length(word);
    return (place == 0 || before[place - 1] == '\n') && name > 0 && name + 1 == word.size() &&
           word[name] == '=';
}

bool has_command_of_zsh(std::string_view text) {
    std::istringstream words{std::string(text)};
    return std::any_of(std::istream_iterator<std::string>(words), {}, [](const std::string& word) {
        return is_one_of(word, {"setopt", "unsetopt", "emulate", "autoload", "zmodload",
                                "zparseopts", "print", "typeset", "local", "declare", "foreach",
                                "repeat", "read", "for", "eval", "source", "."});
    });
}

}  // namespace

bool is_one_plain_start(std::string_view text) {
    std::string all;
    bool goes_on = true;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        line = trimmed(line);
        if (line.empty() || line.starts_with('#'))
            continue;
        if (!goes_on)
            return false;
        goes_on = line.ends_with('\\');
        all.append(line.substr(0, line.size() - (goes_on ? 1 : 0))).append(" ");
    }
    std::istringstream words_in(all);
    const std::vector<std::string> words{std::istream_iterator<std::string>(words_in), {}};
    return all.find_first_of("\\$`*?~;&|<>(){}[]!#^%") == std::string::npos && !words.empty() &&
           is_start_of_qemu(words) && find_qemu(words) == words.begin();
}

bool is_zsh_like_sh(std::string_view text) {
    if (has_form_of_zsh(text) || has_command_of_zsh(text))
        return false;
    char quote = '\0';
    bool comment = false;
    size_t word = 0;  // where it begins
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        const char before = i == 0 ? '\n' : text[i - 1];
        const std::string_view behind = text.substr(i + 1);
        comment = comment && c != '\n';
        const bool plain = quote == '\0' && !comment;
        if (plain && (c == ' ' || c == '\t' || c == '\n'))
            word = i + 1;
        else if (plain && c == '#' && i == word)
            comment = true;
        else if (!comment && c == quote && before != '\\')
            quote = '\0';
        else if (plain && (c == '"' || c == '\''))
            quote = c;
        else if (plain && c == '$' && !is_value(text.substr(0, i), word))
            return false;
        else if (plain && (std::string_view("`*?(<^").find(c) != std::string_view::npos ||
                           (c == '{' && before != '$') || (c == '~' && !behind.starts_with('/')) ||
                           (c == '=' && i == word && !behind.starts_with(' '))))
            return false;
    }
    return quote == '\0';
}

}  // namespace tapgate
