// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell_variables.h"

#include <algorithm>

#include "launcher/base/error.h"

namespace tapgate {

namespace {

// Of all expansions of a script together: variables that double each other grow without end.
constexpr size_t budget = size_t{4} << 20U;

bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

size_t shell_name_length(std::string_view text) {
    if (text.empty() || !is_name_start(text[0]))
        return 0;
    const auto* const end = std::find_if_not(text.begin(), text.end(), [](char c) {
        return is_name_start(c) || (c >= '0' && c <= '9');
    });
    return static_cast<size_t>(end - text.begin());
}

void ShellVariables::charge(size_t bytes) {
    spent_ += bytes;
    if (spent_ > budget)
        throw LauncherError(
            "the script's variables come to more than 4 MiB of text; no command line has that");
}

void ShellVariables::set(const std::string& name, std::vector<std::string> words, bool array,
                         bool append, const std::string& problem, bool conditional) {
    for (const std::string& word : words)
        charge(word.size() + 1);
    Value& value = values_[name];
    if (!append) {
        value.words.clear();
        value.problem.clear();
    }
    if (append && !array && !value.words.empty() && !words.empty()) {
        value.words.back() += words[0];
        charge(value.words.back().size());
    } else {
        value.words.insert(value.words.end(), words.begin(), words.end());
    }
    if (!problem.empty() && value.problem.empty())
        value.problem = "made of " + problem;
    if (conditional && value.problem.empty())
        value.problem = "set under a condition";
}

bool ShellVariables::is_set(const std::string& name) const {
    const auto found = values_.find(name);
    return found != values_.end() &&
           std::any_of(found->second.words.begin(), found->second.words.end(),
                       [](const std::string& word) { return !word.empty(); });
}

ShellVariables::Value ShellVariables::ask(const std::string& word, const std::string& otherwise) {
    const char* const value = lookup_(word);
    if (value == nullptr)
        return {{}, otherwise};
    charge(std::string_view(value).size());
    return {{value}, {}};
}

ShellVariables::Value ShellVariables::get(const std::string& name) {
    if (const auto known = values_.find(name); known != values_.end()) {
        Value value = known->second;
        for (const std::string& word : value.words)
            charge(word.size() + 1);
        if (!value.problem.empty())
            value.problem = "the variable " + name + ", which is " + value.problem + ",";
        return value;
    }
    const std::string unset = "the variable " + name + ", which is not set in the script,";
    if (name == "HOME" || name == "USER" || name == "PWD")
        return ask(name, unset);
    return {{}, unset};
}

}  // namespace tapgate
