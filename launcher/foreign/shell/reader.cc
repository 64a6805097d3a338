// SPDX-License-Identifier: GPL-2.0-or-later
//
// Of ShellReader: characters, words and assignments. What the shell has for parts of a script is in
// blocks.cc, what ends a command in commands.cc.
#include "launcher/foreign/shell/reader.h"

#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// -m, -drive; but no -1.
bool is_option(std::string_view word) {
    return word.size() > 1 && word[0] == '-' &&
           (word[1] == '-' || (word[1] >= 'a' && word[1] <= 'z'));
}

// Whether there is KVM is asked again at each start.
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

std::vector<ShellCommand> ShellReader::read() {
    const ShellVariables::PrintedBy asked(
        variables_, [this](const std::vector<std::string>& words) { return printed_by(words); });
    while (!words_.at_end())
        read_part();
    finish();
    return std::move(commands_);
}

void ShellReader::add_problem(const ShellProblem& problem) {
    command_.problem.add(problem.met_in(words_.line()));
}

// What a word could not say.
void ShellReader::take_problem() {
    add_problem(words_.take_problem());
    for (std::string& note : words_.take_notes())
        command_.notes.push_back(std::move(note));
}

bool ShellReader::is_in_test() const {
    const auto& words = command_.words;
    return words.empty() ? test_goes_on_
                         : (test_goes_on_ || words[0] == "[[") && words.back() != "]]";
}

// A word, or what stands between words.
void ShellReader::read_part() {
    const char c = peek();
    variables_.set_reached(reach() != Truth::no, reach() == Truth::yes);
    if (follows() && flow_.awaits_pattern()) {
        read_patterns();
    } else if (is_blank(c)) {
        next();
    } else if (c == '\\' && peek(1) == '\n') {
        words_.skip(2);
    } else if (c == '\n') {
        finish();
        if (!goes_on_) {
            end_element(false);
            flow_.next_list();
        }
        next();
        read_documents();
    } else if (is_in_test() && !command_.words.empty() && command_.words.back() == "=~") {
        read_regular();
    } else if (is_in_test() && std::string_view("()<>|").find(c) != std::string_view::npos &&
               !(c == '|' && peek(1) == '|')) {
        // Of an expression: that makes it one that nobody evaluates here.
        command_.words.emplace_back(unknown_text);
        next();
    } else if (c == '#') {
        skip_line();
    } else if (c == '<' || c == '>' || (c == '&' && peek(1) == '>')) {
        read_redirection("");
    } else if (std::string_view(";()&|").find(c) != std::string_view::npos) {
        read_operator(c);
    } else {
        read_word();
    }
}

void ShellReader::read_operator(char c) {
    if (c == '|') {
        read_pipe();
        return;
    }
    if (c == '(' && command_.words.size() == 1 && words_.rest().substr(1).starts_with(')')) {
        const std::string name = command_.words[0];
        words_.skip(2);
        if (read_function(name))
            return;
    }
    if (c == '(' && !started_ && words_.rest().starts_with("((") &&
        words_.rest().find("))") != std::string_view::npos) {
        read_sum();
        return;
    }
    next();
    if (c == '&') {
        command_.background = peek() != '&';
        if (!command_.background)
            next();
        const bool background = command_.background;
        finish();
        end_element(background);
        if (background)
            flow_.next_list();
        else
            flow_.and_then();
        goes_on_ = !background;
        return;
    }
    finish();
    if (c == '(') {
        begin_element();
        flow_.open(ShellFlow::Kind::subshell);
        subshells_.push_back({directory_, variables_.mark()});
    } else if (c == ')') {
        if (flow_.is_in(ShellFlow::Kind::subshell)) {
            flow_.close(ShellFlow::Kind::subshell);
            leave_subshell();
        }
    } else if (peek() == ';' || peek() == '&') {
        std::string end;
        while (peek() == ';' || peek() == '&')
            end += next();
        end_element(false);
        if (follows())
            flow_.end_branch(end == "&", end == ";&");
        flow_.next_list();
    } else {
        end_element(false);
        flow_.next_list();
    }
}

void ShellReader::begin_element() {
    ShellElement& element = flow_.element();
    if (!element.begun)
        element = {true, element.piped, variables_.mark()};
    goes_on_ = false;
}

// What is piped, or runs in the background, changes no variable of the script.
void ShellReader::end_element(bool background) {
    const ShellElement element = flow_.element();
    if (element.begun && (element.piped || background))
        variables_.undo_to(element.mark);
}

void ShellReader::skip_line() {
    while (!words_.at_end() && peek() != '\n')
        next();
}

void ShellReader::skip_blanks(bool lines) {
    while (is_blank(peek()) || (lines && peek() == '\n') || (peek() == '\\' && peek(1) == '\n'))
        words_.skip(peek() == '\\' ? 2 : 1);
}

// `| tee log' shows what QEMU says, and writes it down. Any other pipe is a part of the command.
void ShellReader::read_pipe() {
    next();
    if (peek() == '|') {
        next();
        finish();
        end_element(false);
        flow_.or_else();
        goes_on_ = true;
        return;
    }
    const std::string_view rest = words_.rest();
    const size_t word = std::min(rest.find_first_not_of("& \t"), rest.size());
    const std::string_view program = rest.substr(word);
    if (program.starts_with("tee ") || program.starts_with("logger")) {
        const std::string_view line = program.substr(0, program.find_first_of("\n;&"));
        command_.notes.push_back("| " + shown(trimmed(line)));
        while (!words_.at_end() && std::string_view("\n;&").find(peek()) == std::string::npos)
            next();
        return;
    }
    // What QEMU reads there is typed at its console, and what it says goes on: neither is the VM.
    if (!command_.words.empty())
        command_.notes.push_back(
            "| " + shown(last_part(program.substr(0, program.find_first_of(" \t\n;&|")))));
    const std::string before =
        command_.words.empty() ? std::string() : shown(last_part(command_.words[0])) + " |";
    if (printed_ != nullptr)
        printed_->known = false;
    finish();
    end_element(true);
    flow_.element().piped = true;
    goes_on_ = true;
    if (!before.empty())
        command_.notes.push_back(before);
}

void ShellReader::read_redirection(std::string redirection) {
    // `> >(tee log)' writes down what QEMU says. Any other is a word that nobody knows.
    if (peek(1) == '(' && redirection.empty()) {
        auto& redirections = command_.redirections;
        begin_word();
        if (redirections.empty() || !redirections.back().ends_with('>'))
            add_problem(
                {"what another command reads or writes (`" + std::string(1, peek()) + "(...)')"});
        const std::string_view rest = words_.rest().substr(0, words_.rest().find('\n'));
        words_.skip(std::min(rest.rfind(')'), rest.size() - 1) + 1);
        return;
    }
    const bool document = peek() == '<' && peek(1) == '<' && peek(2) != '<';
    if (peek() == '<' && peek(1) == '<')
        add_problem({"a here-document (`<<')"});
    while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '|')
        redirection += next();
    const bool without_tabs = document && peek() == '-';
    if (without_tabs)
        next();
    skip_blanks(false);
    begin_word();
    const std::string_view before = words_.rest();
    const std::vector<std::string> fields = words_.read(false);
    const std::string_view written = before.substr(0, before.size() - words_.rest().size());
    take_problem();
    for (const std::string& field : fields)
        redirection += field;
    if (document && !fields.empty())
        documents_.push_back({fields[0], written.find_first_of("'\"\\") == std::string_view::npos,
                              false, false, without_tabs});
    command_.redirections.push_back(redirection);
}

void ShellReader::begin_word() {
    if (!started_) {
        begin_element();
        command_.line = words_.line();
        written_ = words_.rest();
    }
    started_ = true;
}

// Is it a variable in the command line of QEMU's that nothing has set, or could have?
bool ShellReader::is_absent(const std::string& name) const {
    if (find_qemu(command_.words) == command_.words.end())
        return false;
    // What another branch would set, or has set to nothing.
    if (variables_.is_owned(name))
        return true;
    if (script_.is_open)
        return false;
    const std::string_view text = script_.text;
    for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
        const char before = at == 0 ? ' ' : text[at - 1];
        const bool begins = before != '$' && before != '{' &&
                            shell_name_length({&before, 1}) == 0 && (before < '0' || before > '9');
        if (begins && shell_name_length(text.substr(at)) == name.size())
            return false;
    }
    return true;
}

void ShellReader::read_word() {
    const bool first = command_.words.empty() && assignments_.empty();
    if (first && read_keyword())
        return;
    begin_word();
    if (command_.words.empty() || sets_variables(command_.words[0])) {
        if (read_assignment())
            return;
    }
    constexpr std::array<std::string_view, 3> tests = {"[", "[[", "test"};
    const bool in_test = is_in_test();
    const bool compared = in_test && !command_.words.empty() &&
                          (command_.words.back() == "==" || command_.words.back() == "=" ||
                           command_.words.back() == "!=");
    words_.set_patterns(compared  ? ShellWordReader::Patterns::compared
                        : in_test ? ShellWordReader::Patterns::plain
                                  : ShellWordReader::Patterns::files);
    words_.mark_unknown(!test_goes_on_ && !command_.words.empty() &&
                        !is_one_of(command_.words[0], tests));
    const std::string_view before = words_.rest();
    std::vector<std::string> fields = words_.read(!in_test);
    if (in_test)
        fields = {joined(fields)};
    words_.set_patterns(ShellWordReader::Patterns::files);
    words_.mark_unknown(false);
    // A `$MORE_OPTIONS' of QEMU's that the environment would have is nothing here.
    const std::string absent = words_.take_absent();
    if (!absent.empty() && is_absent(absent)) {
        words_.take_problem();
        words_.take_notes();
        command_.absent.emplace_back(command_.words.size(), absent);
        return;
    }
    take_problem();
    const std::string_view written = before.substr(0, before.size() - words_.rest().size());
    if ((peek() == '<' || peek() == '>') &&
        std::all_of(written.begin(), written.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        read_redirection(std::string(written));
        return;
    }
    command_.words.insert(command_.words.end(), fields.begin(), fields.end());
}

// A value, which knows of those in front of it: A=1 B=$A.
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
    const std::string name(rest.substr(0, length));
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
        // A=1 B=("$A"); but the words of `local' are read before it sets any of them.
        if (command_.words.empty())
            assign_all();
        if (makes_maps() || variables_.is_map(name))
            read_map(name, append);
        else
            read_array(name, append);
        return true;
    }
    // systemd's units: the rest of the line is the command.
    if (name == "ExecStart") {
        while (std::string_view("@-:+!").find(peek()) != std::string::npos && !words_.at_end())
            next();
        return true;
    }
    // A PATH="$PATH:more" has surely been set, by whom does not matter here.
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
            take_problem();
            elements.insert(elements.end(), fields.begin(), fields.end());
        }
    }
    if (!words_.at_end())
        next();
    set(name, std::move(elements), true, append);
    end_array();
}

// NAME[ELEMENT]=value, behind the `='.
void ShellReader::set_element(const std::string& name, std::string_view element, bool append) {
    if (variables_.is_map(name)) {
        set_in_map(name, element, append);
        return;
    }
    const std::vector<std::string> fields = words_.read(false);
    take_problem();
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

void ShellReader::set(const std::string& name, std::vector<std::string> words, bool array,
                      bool append) {
    note_tests();
    // NAME="$NAME -enable-kvm"
    std::vector<std::string> added = words;
    const std::vector<std::string> before = variables_.get(name).words;
    if (!array && !append && before.size() == 1 && words.size() == 1 && !before[0].empty() &&
        words[0].starts_with(before[0] + " "))
        added = {words[0].substr(before[0].size())};
    variables_.own(name);
    if (reach() == Truth::no) {
        // Options that are not added are not left out without a word.
        if (std::any_of(words.begin(), words.end(),
                        [](const std::string& word) { return is_option(trimmed(word)); }))
            pass_over(name + (append || added != words ? "+=" : "=") + shell_text(added));
        return;
    }
    const bool adds = append || added != words || !variables_.is_set(name);
    const bool conditional = reach() == Truth::unknown && !(chooses_kvm(added) && adds);
    if (is_local())
        variables_.hide(name);
    variables_.set(name, {std::move(words), command_.problem}, array, append, conditional);
}

void ShellReader::assign(const std::string& name, const std::string& value, bool append) {
    set(name, {value}, false, append);
    script_.is_open = script_.is_open || name == "EnvironmentFile";
    // systemd's units: Environment="NAME=value"
    const size_t length = shell_name_length(value);
    if (name == "Environment" && length > 0 && length < value.size() && value[length] == '=')
        set(value.substr(0, length), {value.substr(length + 1)}, false, false);
}

}  // namespace tapgate
