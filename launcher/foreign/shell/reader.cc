// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: characters and words. Assignments are in assignments.cc, the blocks of a
// script in blocks.cc, and what a command does in commands.cc.
#include "launcher/foreign/shell/reader.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/line.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/refusal.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// Is it only that a variable's or an argument's value is unknown?
bool is_of_value(const ShellProblem& problem) {
    return !problem.variable.empty() || problem.of_argument;
}

}  // namespace

std::vector<ShellCommand> ShellReader::read() {
    const ShellVariables::PrintedBy asked(
        variables_, [this](const std::vector<std::string>& words) { return printed_by(words); },
        [this](const std::string& text, unsigned line) { read_output(text, line); },
        [this](const std::string& text, unsigned line) { return printed_by_list(text, line); });
    while (!words_.at_end())
        read_part();
    finish();
    end_list();
    return std::move(commands_);
}

void ShellReader::add_problem(const ShellProblem& problem) {
    command_.problem.add(problem.met_in(words_.line()));
}

// Takes over what was unknown in a word.
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

// Reads a word, or what is between words.
void ShellReader::read_part() {
    const char c = peek();
    variables_.set_reached(reach() != Truth::no, reach() == Truth::yes);
    variables_.set_open(script_.is_open);
    if (follows() && flow_.awaits_pattern()) {
        read_patterns();
    } else if (is_blank(c)) {
        next();
    } else if (c == '\\' && peek(1) == '\n') {
        words_.skip(2);
    } else if (c == '\n') {
        finish();
        if (!goes_on_)
            end_list();
        next();
        read_documents();
    } else if (is_in_test() && !command_.words.empty() && command_.words.back() == "=~") {
        read_regular();
    } else if (is_in_test() && std::string_view("()<>|").find(c) != std::string_view::npos &&
               !(c == '|' && peek(1) == '|')) {
        // It belongs to an expression, which is then not evaluated here, except `a > b'.
        const bool compares = (c == '<' || c == '>') && brackets_ == 0;
        command_.words.emplace_back(compares ? std::string(1, c) : std::string(unknown_text));
        brackets_ += c == '(' ? 1U : 0U;
        brackets_ -= c == ')' && brackets_ > 0 ? 1U : 0U;
        next();
    } else if (c == '#') {
        command_.is_commented = started_;
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
        read_function(name);
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
        split_test(false);
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
        flow_.open(ShellFlow::Kind::subshell, std::exchange(inverted_, false));
        subshells_.push_back({directory_, variables_.mark(), script_.functions.mark()});
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
        end_list();
    }
}

void ShellReader::begin_element() {
    ShellElement& element = flow_.element();
    if (!element.begun)
        element = {
            true,      element.piped, variables_.mark(), script_.functions.mark(), flow_.leavings(),
            directory_};
    goes_on_ = false;
}

// A command in a pipe or in the background is a shell of its own, and changes nothing in the
// script's.
void ShellReader::end_element(bool background) {
    const ShellElement element = flow_.element();
    if (!element.begun || (!element.piped && !background))
        return;
    if (background) {
        end_failed_subshell();
        flow_.forgive();
    }
    variables_.undo_to(element.mark);
    script_.functions.undo_to(element.functions);
    directory_ = element.directory;
    if (flow_.leavings() == element.leavings)
        return;
    flow_.undo_leavings(element.leavings);
    returned_.reset();
    script_.is_left = false;
}

// At `;' or the line's end. A failure there ends the script under `set -e'.
void ShellReader::end_list() {
    end_element(false);
    const unsigned line = end_failed_subshell().value_or(words_.line());
    if (variables_.option('e') == Truth::yes && flow_.has_failed())
        flow_.fail({line, flow_.depth(), commands_.size()});
    flow_.settle_failure();
    if (const auto failure = flow_.failure(); failure && failure->depth == 0 && !is_part_) {
        commands_.resize(std::min(failure->commands, commands_.size()));
        script_.failed = failure->line;
        script_.is_left = true;
        flow_.leave();
    }
    flow_.next_list();
}

// ( set -e; ... ): a failure in it ended it, and only it, since nothing tests it here. Returns the
// failure's line.
std::optional<unsigned> ShellReader::end_failed_subshell() {
    const auto failure = flow_.failed_subshell();
    if (!failure)
        return std::nullopt;
    commands_.resize(std::min(failure->commands, commands_.size()));
    return failure->line;
}

void ShellReader::skip_line() {
    while (!words_.at_end() && peek() != '\n')
        next();
}

void ShellReader::skip_blanks(bool lines) {
    while (is_blank(peek()) || (lines && peek() == '\n') || (peek() == '\\' && peek(1) == '\n'))
        words_.skip(peek() == '\\' ? 2 : 1);
}

// [[ a && b || c && d ]], at an operator: the test is a group, and so is what `&&' joins in it.
// True at `||' in a test, which has been handled then.
bool ShellReader::split_test(bool otherwise) {
    if (!is_in_test())
        return false;
    if (brackets_ > 0)
        command_.words.emplace_back(unknown_text);
    if (!test_goes_on_) {
        test_ = written_;
        test_line_ = command_.line;
        flow_.open(ShellFlow::Kind::group, std::exchange(inverted_, false));
        flow_.open(ShellFlow::Kind::group);
    }
    if (!otherwise)
        return false;
    finish();
    flow_.close(ShellFlow::Kind::group);
    flow_.or_else();
    flow_.open(ShellFlow::Kind::group);
    return true;
}

// `| tee log' only shows and logs what QEMU prints. Any other pipe is a part of the command.
void ShellReader::read_pipe() {
    next();
    if (peek() == '|') {
        next();
        if (!split_test(true)) {
            finish();
            end_element(false);
            flow_.or_else();
        }
        goes_on_ = true;
        return;
    }
    // `|&' includes its errors.
    if (peek() == '&')
        next();
    const std::string_view rest = words_.rest();
    const size_t word = std::min(rest.find_first_not_of(" \t"), rest.size());
    const std::string_view program = rest.substr(word);
    // cat <<EOF | sudo tee FILE
    if (last_part(command_.words.empty() ? "" : command_.words[0]) == "cat") {
        std::istringstream behind{std::string(program.substr(0, program.find_first_of("\n;&|>")))};
        mark_documents({std::istream_iterator<std::string>(behind), {}}, false);
    }
    if (program.starts_with("tee ") || program.starts_with("logger")) {
        const std::string_view line = program.substr(0, program.find_first_of("\n;&"));
        command_.notes.push_back("| " + shown(trimmed(line)));
        flow_.element().piped = true;
        flow_.forgive();
        if (started_)
            shown_ = true;
        else
            flow_.ended({});
        if (printed_ != nullptr && program.starts_with("logger"))
            printed_->known = false;
        while (!words_.at_end() && std::string_view("\n;&").find(peek()) == std::string::npos)
            next();
        return;
    }
    // What QEMU reads there is typed on its console, and what it prints goes on: neither describes
    // the VM.
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
    if (peek(1) == '(' && redirection.empty()) {
        read_process();
        return;
    }
    const bool document = peek() == '<' && peek(1) == '<' && peek(2) != '<';
    // In a function that is called for its output, `cat' prints it.
    const bool reads = reads_input(command_.words) ||
                       (printed_ != nullptr && command_.words == std::vector<std::string>{"cat"});
    const bool text = words_.rest().starts_with("<<<");
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
    if (text && reads && !words_.problem() && !is_unknown(fields))
        input_ = joined(fields) + "\n";
    // Where QEMU's output goes is not a part of the VM.
    bool known = !is_unknown(fields);
    if (!document && !text && !reads && is_of_value(words_.problem())) {
        words_.take_problem();
        known = false;
    }
    take_problem();
    if (!known)
        redirection += written;
    for (const std::string& field : fields)
        redirection += known ? field : "";
    if (document && !fields.empty()) {
        documents_.push_back({fields[0], written.find_first_of("'\"\\") == std::string_view::npos,
                              false, false, without_tabs});
        if (reads)
            input_ = documents_.size() == 1 ? text_ahead(documents_[0]) : std::nullopt;
    }
    if (document ? !reads || !input_ : text && !reads)
        add_problem({"a here-document (`<<')"});
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

// Is it a variable that nothing has set, or could have set?
bool ShellReader::is_absent(const std::string& name) const {
    // Another branch would set it, or it has been set to nothing.
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
    constexpr size_t most_absent = 100;
    if (command_.words.size() > most_words || command_.absent.size() > most_absent)
        throw ScriptRefused("line " + std::to_string(words_.line()) +
                            ": a command with more than " + std::to_string(most_words) +
                            " words, or with more than " + std::to_string(most_absent) +
                            " variables that nothing sets");
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
    // A `$MORE_OPTIONS' in QEMU's command line, which only the environment might set, adds nothing.
    const std::string absent = words_.take_absent();
    if (!absent.empty() && find_qemu(command_.words) != command_.words.end() && is_absent(absent)) {
        words_.take_problem();
        words_.take_notes();
        command_.absent.emplace_back(command_.words.size(), absent);
        return;
    }
    const std::string_view written = before.substr(0, before.size() - words_.rest().size());
    // Where QEMU is installed is not a part of the VM.
    if (const std::string name = qemu_at_end(written);
        !name.empty() && is_of_value(words_.problem()) &&
        find_qemu(command_.words) == command_.words.end()) {
        words_.take_problem();
        fields = {name};
    }
    take_problem();
    if ((peek() == '<' || peek() == '>') &&
        std::all_of(written.begin(), written.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        read_redirection(std::string(written));
        return;
    }
    command_.words.insert(command_.words.end(), fields.begin(), fields.end());
}

}  // namespace tapgate
