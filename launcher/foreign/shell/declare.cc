// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: `declare' and its kin, and `set'.
#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

bool ShellReader::is_local() const {
    const auto& words = command_.words;
    constexpr std::array<std::string_view, 3> locals = {"local", "declare", "typeset"};
    return !words.empty() && is_one_of(words[0], locals) &&
           std::find(words.begin(), words.end(), "-g") == words.end();
}

// declare -LETTER
bool ShellReader::declares(char letter) const {
    const auto& words = command_.words;
    return !words.empty() && sets_variables(words[0]) && words[0] != "export" &&
           std::any_of(words.begin() + 1, words.end(), [&](const std::string& word) {
               return word.starts_with('-') && word.find(letter) != std::string::npos;
           });
}

// local -n NAME=OTHER
void ShellReader::declare_references() {
    std::vector<std::string> names;
    for (const Assignment& one : assignments_)
        names.push_back(one.name);
    std::copy_if(command_.words.begin() + 1, command_.words.end(), std::back_inserter(names),
                 [](const std::string& word) {
                     return !word.empty() && shell_name_length(word) == word.size();
                 });
    for (const std::string& name : names) {
        if (is_local())
            variables_.hide(name);
        const auto to = std::find_if(assignments_.begin(), assignments_.end(),
                                     [&](const Assignment& one) { return one.name == name; });
        const bool known = to != assignments_.end() && reach() == Truth::yes && !command_.problem &&
                           !to->value.empty() && to->value != name &&
                           shell_name_length(to->value) == to->value.size();
        if (!known)
            variables_.forget(name, "declared as more than a text");
        // If all branches count alike, nothing is known about a function's arguments.
        if (known || follows())
            variables_.make_reference(name, known ? to->value : "");
    }
}

// local NAME; declare -i NAME, which changes values that are assigned later.
void ShellReader::declare() {
    const auto& words = command_.words;
    constexpr std::string_view kinds = "ilu";
    const auto* const kind =
        std::find_if(kinds.begin(), kinds.end(), [&](char letter) { return declares(letter); });
    std::vector<std::string> names;
    for (size_t i = 1; i < words.size(); i++) {
        if (shell_name_length(words[i]) == words[i].size() && !words[i].empty())
            names.push_back(words[i]);
        if (is_local() && !names.empty() && names.back() == words[i])
            variables_.hide(words[i]);
    }
    for (const Assignment& one : assignments_)
        names.push_back(one.name);
    const bool exports =
        words[0] == "export" || std::find(words.begin(), words.end(), "-x") != words.end();
    script_.is_open = script_.is_open || is_unknown(words);
    for (const std::string& name : names) {
        if (makes_maps() && reach() == Truth::yes) {
            if (!variables_.is_map(name))
                variables_.make_map(name);
        } else if (declares('A')) {
            variables_.forget(name, "declared as more than a text");
        }
        if (kind != kinds.end())
            variables_.set_kind(name, reach() == Truth::yes ? *kind : 'u');
        if (exports)
            variables_.mark_exported(name, reach());
        if (words[0] == "readonly" || declares('r'))
            variables_.make_read_only(name);
    }
}

// declare -A; but a map that is local to a function is not followed.
bool ShellReader::makes_maps() const {
    return declares('A') && !(is_local() && variables_.is_in_function());
}

// set -e, set -a, set -o errexit; with `+' they end.
void ShellReader::set_options() {
    constexpr std::array<std::pair<std::string_view, char>, 2> names = {
        {{"allexport", 'a'}, {"errexit", 'e'}}};
    const auto& words = command_.words;
    for (size_t i = 1; i < words.size() && words[i].size() > 1 && words[i] != "--"; i++) {
        const bool on = words[i][0] == '-';
        if (!on && words[i][0] != '+')
            break;
        const bool named = words[i].ends_with('o') && i + 1 < words.size();
        const std::string name = named ? words[i + 1] : std::string();
        for (const auto& [option, letter] : names) {
            if (words[i].find(letter) != std::string::npos || name == option)
                variables_.set_option(letter, on, reach() != Truth::yes);
        }
        i += named ? 1 : 0;
    }
}

// set -- WORDS, which become "$@".
void ShellReader::set_arguments() {
    const auto& words = command_.words;
    auto first = std::find(words.begin(), words.end(), "--");
    if (first != words.end())
        first++;
    else if (!words[1].starts_with('-') && !words[1].starts_with('+'))
        first = words.begin() + 1;
    else
        return;
    ShellVariables::Value arguments{{first, words.end()}, command_.problem};
    if (reach() != Truth::yes)
        arguments = {{}, {"an argument that is set under a condition,"}};
    // It is unknown how many words that is.
    else if (std::find(first, words.end(), unknown_text) != words.end())
        arguments = {{}, {"an argument that a command printed,"}};
    variables_.set_arguments(std::move(arguments));
}

}  // namespace tapgate
