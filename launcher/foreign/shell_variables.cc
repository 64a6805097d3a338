// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell_variables.h"

#include <algorithm>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

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

void ShellVariables::set(const std::string& name, Value value, bool array, bool append,
                         bool conditional) {
    for (const std::string& word : value.words)
        charge(word.size() + 1);
    Value& old = values_[name];
    if (!append)
        old = {};
    if (append && !array && !old.words.empty() && !value.words.empty()) {
        old.words.back() += value.words[0];
        charge(old.words.back().size());
    } else {
        old.words.insert(old.words.end(), value.words.begin(), value.words.end());
    }
    if (!value.problem.empty()) {
        old.soft = value.soft && (old.problem.empty() || old.soft);
        if (old.problem.empty())
            old.problem = "made of " + value.problem;
    }
    if (conditional) {
        old.soft = false;
        if (old.problem.empty())
            old.problem = "set under a condition";
    }
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
        return {{}, otherwise, false};
    charge(std::string_view(value).size());
    return {{value}, {}, false};
}

ShellVariables::Value ShellVariables::get(const std::string& name) {
    if (const auto known = values_.find(name); known != values_.end()) {
        Value value = known->second;
        for (const std::string& word : value.words)
            charge(word.size() + 1);
        if (!value.problem.empty())
            value.problem = "the variable " + name + ", which is " + value.problem + ",";
        if (!value.problem.empty() && !value.soft)
            value.name = name;
        return value;
    }
    const std::string unset = "the variable " + name + ", which is not set in the script,";
    if (name == "HOME" || name == "USER" || name == "PWD")
        return ask(name, unset);
    if (name == "OSTYPE")
        return {{"linux-gnu"}, {}, false};
    return {{}, unset, true, name};
}

void ShellVariables::note_unknown(const std::string& name) {
    if (std::find(unknown_.begin(), unknown_.end(), name) == unknown_.end())
        unknown_.push_back(name);
}

ShellVariables::Value ShellVariables::argument(const std::string& name) {
    const std::vector<std::string>* const known = arguments();
    const auto number = parse_whole<size_t>(name);
    if (known == nullptr) {
        std::vector<std::string> words;
        if (name == "#")
            words.emplace_back("0");
        return {words, "`$" + name + "', which only the shell that ran it knows", true};
    }
    if (name == "#")
        return {{std::to_string(known->size())}, {}, false};
    if (!number || *number == 0 || *number > known->size())
        return {{}, {}, false};
    return {{(*known)[*number - 1]}, {}, false};
}

void ShellVariables::set_arguments(std::vector<std::string> arguments) {
    if (arguments_.empty())
        arguments_.emplace_back();
    arguments_.back() = std::move(arguments);
}

std::optional<ShellVariables::Value> ShellVariables::saved(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

void ShellVariables::restore(const std::string& name, const std::optional<Value>& value) {
    if (value)
        values_[name] = *value;
    else
        values_.erase(name);
}

void ShellVariables::shift(size_t count) {
    if (arguments_.empty())
        return;
    std::vector<std::string>& all = arguments_.back();
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size())));
}

}  // namespace tapgate
