// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: assignments.
#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// -m and -drive, but not -1.
bool is_option(std::string_view word) {
    return word.size() > 1 && word[0] == '-' &&
           (word[1] == '-' || (word[1] >= 'a' && word[1] <= 'z'));
}

// At each start, tapgate itself finds out whether there is KVM.
bool chooses_kvm(const std::vector<std::string>& words) {
    constexpr std::array<std::string_view, 6> kvm = {"-enable-kvm", "--enable-kvm", "-accel",
                                                     "kvm",         "-machine",     "accel=kvm"};
    const auto are_of_kvm = [&](std::string_view text) {
        while (!text.empty()) {
            const size_t end = std::min(text.find(' '), text.size());
            if (!is_one_of(text.substr(0, end), kvm))
                return false;
            text = trimmed(text.substr(end));
        }
        return true;
    };
    return !words.empty() && std::all_of(words.begin(), words.end(), [&](const auto& word) {
        return !trimmed(word).empty() && are_of_kvm(trimmed(word));
    });
}

}  // namespace

// Reads a value in which the assignments before it count: A=1 B=$A.
std::vector<std::string> ShellReader::read_assigned() {
    if (assignments_.empty() || !command_.words.empty())
        return words_.read(false);
    const size_t mark = variables_.mark();
    for (const Assignment& one : assignments_)
        variables_.set(one.name, {{one.value}, command_.problem}, false, one.append, false);
    std::vector<std::string> fields = words_.read(false);
    variables_.undo_to(mark);
    return fields;
}

// NAME=value, NAME+=value, NAME=(an array).
bool ShellReader::read_assignment() {
    const std::string_view rest = words_.rest();
    const size_t length = shell_name_length(rest);
    if (length == 0)
        return false;
    std::string name(rest.substr(0, length));
    if (command_.words.empty())
        name = variables_.meant(name);
    // NAME[0]=value
    if (rest.substr(length).starts_with('[')) {
        const std::string_view word = rest.substr(0, rest.find_first_of(" \t\n;"));
        const size_t end = std::min(word.find("]="), word.find("]+="));
        if (end == std::string_view::npos)
            return false;
        const bool append = word[end + 1] == '+';
        words_.skip(end + (append ? 3 : 2));
        set_element(name, rest.substr(length + 1, end - length - 1), append);
        return true;
    }
    const bool append = rest.substr(length).starts_with("+=");
    if (!append && !rest.substr(length).starts_with('='))
        return false;
    words_.skip(length + (append ? 2 : 1));
    if (peek() == '(') {
        next();
        // In A=1 B=("$A"), A counts; but the words of `local' are read before it sets any of them.
        if (command_.words.empty())
            assign_all();
        if (makes_maps() || variables_.is_map(name))
            read_map(name, append);
        else
            read_array(name, append);
        return true;
    }
    // In systemd's units, the rest of the line is the command.
    if (name == "ExecStart") {
        while (std::string_view("@-:+!").find(peek()) != std::string::npos && !words_.at_end())
            next();
        return true;
    }
    // The PATH in PATH="$PATH:more" has surely been set; it does not matter by whom.
    const bool path = name.ends_with("PATH");
    if (!variables_.saved(name) && !path)
        words_.set_assigned(name);
    std::vector<std::string> fields = read_assigned();
    words_.set_assigned({});
    if (path && words_.problem().soft) {
        words_.take_problem();
        fields = {std::string(unknown_text)};
    }
    take_problem();
    assignments_.push_back({name, joined(fields), append});
    if (command_.words.empty())
        command_.environment.emplace_back(name, assignments_.back().value);
    return true;
}

void ShellReader::read_array(const std::string& name, bool append) {
    std::vector<std::string> elements;
    while (!words_.at_end() && peek() != ')') {
        const char c = peek();
        if (is_blank(c) || c == '\n') {
            next();
        } else if (c == '\\' && peek(1) == '\n') {
            words_.skip(2);
        } else if (c == '#') {
            skip_line();
        } else if (std::string_view(";&|<>(").find(c) != std::string_view::npos) {
            add_problem({"`" + std::string(1, c) + "' in an array"});
            next();
        } else {
            if (c == '[' &&
                words_.rest().substr(0, words_.rest().find_first_of(" \t\n")).find("]=") !=
                    std::string_view::npos)
                add_problem({"an array's element with its name"});
            words_.mark_unknown(true);
            const std::vector<std::string> fields = words_.read(true);
            words_.mark_unknown(false);
            // As in QEMU's command line, $MORE adds nothing; but in (-m $MORE), QEMU would miss it.
            const std::string absent = words_.take_absent();
            if (!absent.empty() && !elements.empty() && !elements.back().starts_with('-') &&
                is_absent(absent)) {
                words_.take_problem();
                words_.take_notes();
                command_.notes.push_back("$" + absent);
                continue;
            }
            take_problem();
            elements.insert(elements.end(), fields.begin(), fields.end());
        }
    }
    if (!words_.at_end())
        next();
    set(name, std::move(elements), true, append);
    end_array();
}

// NAME[ELEMENT]=value, after the `='.
void ShellReader::set_element(const std::string& name, std::string_view element, bool append) {
    if (variables_.is_map(name)) {
        set_in_map(name, element, append);
        return;
    }
    const std::vector<std::string> fields = words_.read(false);
    take_problem();
    variables_.own(name);
    ShellVariables::Value value = variables_.saved(name).value_or(ShellVariables::Value());
    ShellWordReader reader(element, variables_, words_.line());
    const auto number = shell_arithmetic(trimmed(reader.read_all()), variables_);
    if (reach() == Truth::yes && command_.words.empty() && !reader.take_problem() && number &&
        *number >= 0 && !value.problem && *number <= static_cast<long long>(value.words.size())) {
        const auto at = static_cast<size_t>(*number);
        value.words.resize(std::max(value.words.size(), at + 1));
        value.words[at] = (append ? value.words[at] : "") + joined(fields);
        set(name, std::move(value.words), true, false);
    } else if (reach() != Truth::no) {
        variables_.forget(name, "set element by element");
    }
}

// The value of NAME=SUM after `declare -i NAME'; nothing if it is unknown.
std::optional<std::string> ShellReader::summed(const std::string& name,
                                               const std::vector<std::string>& words, bool append) {
    const std::string sum = joined(words);
    const auto value = shell_arithmetic(append ? name + "+(" + sum + ")" : sum, variables_);
    return value ? std::optional(std::to_string(*value)) : std::nullopt;
}

void ShellReader::set(const std::string& name, std::vector<std::string> words, bool array,
                      bool append) {
    note_tests();
    if (!array && (variables_.kind(name) == 'i' || declares('i'))) {
        if (const auto sum = summed(name, words, append)) {
            words = {*sum};
            append = false;
        }
    }
    // In NAME="$NAME -enable-kvm", only the rest is added.
    std::vector<std::string> added = words;
    const std::vector<std::string> before = variables_.get(name).words;
    if (!array && !append && before.size() == 1 && words.size() == 1 && !before[0].empty() &&
        words[0].starts_with(before[0] + " "))
        added = {words[0].substr(before[0].size())};
    variables_.own(name);
    // If options are not added, a note says so.
    if (std::any_of(words.begin(), words.end(),
                    [](const std::string& word) { return is_option(trimmed(word)); })) {
        const std::string what = name + (append || added != words ? "+=" : "=") + shell_text(added);
        if (reach() == Truth::no)
            pass_over(what);
        else
            come_to(what);
    }
    if (reach() == Truth::no)
        return;
    const bool adds = append || added != words || !variables_.is_set(name);
    const bool conditional = reach() == Truth::unknown && !(chooses_kvm(added) && adds);
    if (is_local())
        variables_.hide(name);
    variables_.set(name, {std::move(words), command_.problem}, array, append, conditional);
}

void ShellReader::assign(const std::string& name, const std::string& value, bool append) {
    set(name, {value}, false, append);
    script_.is_open = script_.is_open || name == "EnvironmentFile";
    // systemd's units have Environment="NAME=value".
    const size_t length = shell_name_length(value);
    if (name == "Environment" && length > 0 && length < value.size() && value[length] == '=')
        set(value.substr(0, length), {value.substr(length + 1)}, false, false);
}

}  // namespace tapgate
