// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/variables.h"

#include <algorithm>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell/refusal.h"

namespace tapgate {

namespace {

// For all expansions of a script together, as variables that double each other grow without end.
constexpr size_t budget = size_t{4} << 20U;

bool are_numbers(const std::vector<std::string>& words) {
    return std::all_of(words.begin(), words.end(), [](const std::string& word) {
        return parse_whole<unsigned long>(word).has_value() && (word[0] != '0' || word == "0");
    });
}

bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

bool is_unknown(std::string_view word) {
    return word.find(unknown_text) != std::string_view::npos;
}

bool is_unknown(const std::vector<std::string>& words) {
    return std::any_of(words.begin(), words.end(),
                       [](const std::string& word) { return is_unknown(word); });
}

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

void ShellVariables::set(const std::string& called, Value value, bool array, bool append,
                         bool conditional) {
    const std::string name = meant(called);
    for (const std::string& word : value.words)
        charge(word.size() + 1);
    if (kind(name) == 'n')
        throw ScriptRefused("`declare -n " + name + "': it is not known which variable it sets");
    note(name);
    owned_.insert(name);
    Value& old = values_[name];
    // A plain text that is assigned to an array becomes its first element.
    const bool first =
        !array && !value.words.empty() && !old.words.empty() && (append || old.words.size() > 1);
    if (!append && !first) {
        old = {{}, {}, {}, old.attributes};
    }
    if (first) {
        old.words[0] = append ? old.words[0] + value.words[0] : value.words[0];
        charge(old.words[0].size());
    } else {
        old.words.insert(old.words.end(), value.words.begin(), value.words.end());
    }
    if (value.problem)
        old.problem.add(value.problem.reason_for(name));
    if (conditional)
        old.problem.add({"set under a condition"});
    if (old.attributes.read_only)
        old.problem.add({"set again, although it is read-only"});
    if (old.attributes.kind != '\0' && (array || append || !are_numbers(old.words)))
        old.problem.add({"declared as more than a text"});
    if (shell_name_length(name) == name.size())
        old.attributes.exported = std::max(old.attributes.exported, option('a'));
}

void ShellVariables::assign(const std::string& name, Value value, bool array) {
    if (reached_)
        set(name, std::move(value), array, false, !surely_);
}

// The keys of NAME are in the variable "NAME[]", a name that no script can use.
void ShellVariables::make_map(const std::string& name) {
    unset(name);
    set(element_of(name, {}), {}, true, false, false);
}

bool ShellVariables::is_map(const std::string& name) const {
    return values_.contains(element_of(meant(name), {}));
}

void ShellVariables::add_key(const std::string& name, const std::string& key, bool conditional) {
    const std::string all = element_of(meant(name), {});
    const auto& words = values_[all].words;
    if (std::find(words.begin(), words.end(), key) == words.end())
        set(all, {{key}}, true, true, conditional);
}

ShellVariables::Value ShellVariables::keys(const std::string& called) {
    const std::string name = meant(called);
    const auto whole = values_.find(name);
    const bool known = whole == values_.end() || !whole->second.problem;
    return get(known ? element_of(name, {}) : name);
}

ShellVariables::Value ShellVariables::get_element(const std::string& called,
                                                  const std::string& key) {
    const std::string name = meant(called);
    Value all = keys(name);
    const std::string element = element_of(name, key);
    const auto whole = values_.find(name);
    const bool lost = whole != values_.end() && whole->second.problem;
    if (!lost && values_.contains(element))
        return get(element);
    all.words.clear();
    return all;
}

bool ShellVariables::is_set(const std::string& name) const {
    const auto found = values_.find(meant(name));
    return found != values_.end() &&
           std::any_of(found->second.words.begin(), found->second.words.end(),
                       [](const std::string& word) { return !word.empty(); });
}

void ShellVariables::enter(Value arguments) {
    callers_.push_back(replace_arguments(std::move(arguments)));
    hidden_.emplace_back();
}

void ShellVariables::leave() {
    for (const auto& [name, value] : hidden_.back())
        restore(name, value);
    hidden_.pop_back();
    replace_arguments(std::move(callers_.back()));
    callers_.pop_back();
}

void ShellVariables::hide(const std::string& name) {
    // A read-only variable cannot be hidden.
    const auto before = stored(name);
    if (before && before->attributes.read_only)
        return;
    if (hidden_.empty() || !hidden_.back().try_emplace(name, before).second)
        return;
    note(name);
    journal_.back().hides = hidden_.size();
    values_[name] = {};
}

void ShellVariables::set_arguments(Value arguments) {
    if (arguments_)
        for (const std::string& word : arguments_->words)
            charge(word.size() + 1);
    replace_arguments(std::move(arguments));
}

std::optional<ShellVariables::Value> ShellVariables::replace_arguments(
    std::optional<Value> arguments) {
    journal_.push_back({"@", std::exchange(arguments_, std::move(arguments))});
    return journal_.back().before;
}

std::string ShellVariables::meant(const std::string& name) const {
    constexpr unsigned deepest = 8;
    std::string meant = name;
    for (unsigned i = 0; i < deepest; i++) {
        const auto found = values_.find(meant);
        if (found == values_.end() || found->second.attributes.refers.empty())
            return meant;
        meant = found->second.attributes.refers;
    }
    return name;
}

ShellVariables::Attributes& ShellVariables::attributes_of(const std::string& name) {
    note(name);
    if (!values_.contains(name))
        values_[name].problem = {"not set in the script", true};
    return values_[name].attributes;
}

void ShellVariables::make_reference(const std::string& name, const std::string& to) {
    Attributes& attributes = attributes_of(name);
    attributes.kind = 'n';
    attributes.refers = to;
}

char ShellVariables::kind(const std::string& name) const {
    const auto found = values_.find(meant(name));
    return found == values_.end() ? '\0' : found->second.attributes.kind;
}

void ShellVariables::set_kind(const std::string& name, char kind) {
    attributes_of(meant(name)).kind = kind;
    Value& value = values_[meant(name)];
    if (!are_numbers(value.words))
        value.problem.add({"declared as more than a text"});
}

void ShellVariables::make_read_only(const std::string& name) {
    attributes_of(meant(name)).read_only = true;
}

void ShellVariables::mark_exported(const std::string& name, Truth exported) {
    if (!values_.contains(meant(name)))
        return;
    Truth& now = attributes_of(meant(name)).exported;
    now = std::max(now, exported);
}

// It is in the variable "-LETTER", a name that no script can use.
Truth ShellVariables::option(char letter) const {
    const auto found = values_.find({'-', letter});
    if (found == values_.end())
        return Truth::no;
    return found->second.problem ? Truth::unknown : truth_of(!found->second.words.empty());
}

void ShellVariables::set_option(char letter, bool on, bool conditional) {
    Value value;
    if (on)
        value.words.emplace_back("on");
    set({'-', letter}, std::move(value), false, false, conditional);
}

void ShellVariables::unset(const std::string& called) {
    const std::string name = meant(called);
    if (is_map(name)) {
        const std::string all = element_of(name, {});
        const std::vector<std::string> words = values_[all].words;
        for (const std::string& key : words)
            unset(element_of(name, key));
        note(all);
        values_.erase(all);
    }
    note(name);
    values_.erase(name);
}

void ShellVariables::restore(const std::string& name, std::optional<Value> value) {
    if (values_.contains(name))
        attributes_of(name).refers.clear();
    unset(name);
    if (value)
        values_[name] = std::move(*value);
}

void ShellVariables::note(const std::string& name) {
    constexpr size_t bytes = 16;
    charge(bytes);
    journal_.push_back({name, stored(name)});
}

void ShellVariables::undo_to(size_t mark) {
    for (; journal_.size() > mark; journal_.pop_back()) {
        Change& last = journal_.back();
        if (last.name == "@")
            arguments_ = std::move(last.before);
        else if (last.before)
            values_[last.name] = std::move(*last.before);
        else
            values_.erase(last.name);
        if (last.hides > 0 && last.hides == hidden_.size())
            hidden_.back().erase(last.name);
    }
}

std::set<std::string> ShellVariables::changed_since(size_t mark) const {
    std::set<std::string> names;
    for (size_t i = mark; i < journal_.size(); i++)
        names.insert(journal_[i].name);
    names.erase("@");
    return names;
}

void ShellVariables::enter_shell(bool exports, std::optional<Value> arguments) {
    std::vector<std::string> gone;
    std::vector<std::string> doubtful;
    for (const auto& [name, value] : values_) {
        // Arrays are not passed on.
        const bool array = value.words.size() > 1;
        const Truth exported = name == "PWD" ? Truth::yes : value.attributes.exported;
        if (!exports || array || exported == Truth::no)
            gone.push_back(name);
        else if (exported == Truth::unknown)
            doubtful.push_back(name);
    }
    for (const std::string& name : gone)
        restore(name, std::nullopt);
    for (const std::string& name : doubtful)
        forget(name, "exported under a condition");
    replace_arguments(std::move(arguments));
}

ShellVariables::Value ShellVariables::told(const std::optional<std::string>& answer,
                                           const ShellProblem& otherwise) {
    if (!answer)
        return {{}, otherwise};
    charge(answer->size());
    return {{*answer}};
}

ShellVariables::Value ShellVariables::get(const std::string& name) {
    if (const auto known = values_.find(meant(name)); known != values_.end()) {
        Value value = known->second;
        for (const std::string& word : value.words)
            charge(word.size() + 1);
        if (value.problem)
            value.problem = value.problem.of_variable(name);
        if (value.problem.is_hard())
            value.name = name;
        return value;
    }
    ShellProblem unset{"not set in the script"};
    if (name == "HOME" || name == "USER" || name == "PWD")
        return told(surroundings_.variable(name), unset.of_variable(name));
    if (name == "OSTYPE")
        return {{"linux-gnu"}};
    if (name == "IFS")
        return {{" \t\n"}};
    // Of whoever runs it, and with sudo that is another user.
    if (name == "UID" || name == "EUID" || name == "PPID")
        return {{std::string(unknown_text)}};
    unset.soft = true;
    return {{}, unset.of_variable(name), name};
}

void ShellVariables::note_unknown(const std::string& name) {
    if (std::find(unknown_.begin(), unknown_.end(), name) == unknown_.end())
        unknown_.push_back(name);
}

ShellVariables::Value ShellVariables::script_name() {
    if (const auto name = saved("0"))
        return *name;
    return told(surroundings_.script(), {"`$0', which only the shell that runs it knows,"});
}

ShellVariables::Value ShellVariables::argument(const std::string& name) const {
    const Value* const known = arguments();
    const auto number = parse_whole<size_t>(name);
    if (known == nullptr) {
        std::vector<std::string> words;
        if (name == "#")
            words.emplace_back("0");
        return {words, {"`$" + name + "', which only the shell that runs it knows,", true, true}};
    }
    Value value{{}, known->problem};
    if (name == "#")
        value.words = {std::to_string(known->words.size())};
    else if (number && *number > 0 && *number <= known->words.size())
        value.words = {known->words[*number - 1]};
    return value;
}

std::optional<ShellVariables::Value> ShellVariables::saved(const std::string& name) const {
    return stored(meant(name));
}

std::optional<ShellVariables::Value> ShellVariables::stored(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

void ShellVariables::shift(size_t count) {
    if (!arguments_ || count > arguments_->words.size())
        return;
    Value arguments = *arguments_;
    auto& words = arguments.words;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
    set_arguments(std::move(arguments));
}

}  // namespace tapgate
