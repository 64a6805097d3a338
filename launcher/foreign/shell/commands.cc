// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: what a command does when it is complete.
#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/shell/refusal.h"
#include "launcher/foreign/shell/test.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

constexpr unsigned most_rounds = 500;

// The shell's own commands that set variables to something unknown, or unset them.
constexpr std::array<std::string_view, 8> changers = {"read", "mapfile", "readarray", "unset",
                                                      "let",  "printf",  "source",    "."};

// `bash', `sudo -u kvm sh -s', `su - kvm'
bool runs_its_input(const std::vector<std::string>& words) {
    constexpr std::array<std::string_view, 3> others = {"doas", "env", "sudo"};
    if (words.empty() || is_shell(words[0]) || last_part(words[0]) == "su")
        return !words.empty();
    return is_one_of(last_part(words[0]), others) &&
           std::any_of(words.begin(), words.end(), is_shell);
}

}  // namespace

// `words' are those of the command that reads the documents.
void ShellReader::mark_documents(const std::vector<std::string>& words, bool to_file) {
    to_file = to_file || std::find(words.begin(), words.end(), "tee") != words.end();
    for (size_t i = documents_before_; i < documents_.size(); i++) {
        documents_[i].is_written = to_file;
        documents_[i].is_a_script = reach() != Truth::no && (to_file || runs_its_input(words));
    }
    documents_before_ = documents_.size();
}

void ShellReader::finish() {
    mark_documents(command_.words, std::any_of(command_.redirections.begin(),
                                               command_.redirections.end(), [](const auto& one) {
                                                   return one.starts_with('>') &&
                                                          !one.starts_with(">&");
                                               }));
    if (command_.words.empty() && assignments_.empty()) {
        if (!started_)
            return;
        notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
    } else {
        const bool inverted = inverted_;
        const bool in_test = test_goes_on_;
        ShellStatus status = status_of_command();
        called_.reset();
        if (printed_ != nullptr && !in_test)
            print();
        // The second part of a test is no command of its own.
        if (!in_test)
            finish_command();
        if (called_) {
            status = *called_;
            status.truth = inverted ? negated(status.truth) : status.truth;
            status.inverted = inverted;
        }
        flow_.ended(shown_ ? ShellStatus() : status);
        if (inverted)
            flow_.forgive();
        inverted_ = false;
        if (in_test && !test_goes_on_)
            end_test();
    }
    drop_command();
}

void ShellReader::drop_command() {
    command_ = {};
    script_.printed_status.reset();
    assignments_.clear();
    input_.reset();
    started_ = shown_ = false;
}

std::string ShellReader::written() const {
    return shown(trimmed(written_.substr(0, written_.size() - words_.rest().size()), " \t\n;&|"));
}

// A test of several parts is named as a whole.
void ShellReader::end_test() {
    flow_.close(ShellFlow::Kind::group);
    written_ = test_;
    flow_.name_status(written() + " (line " + std::to_string(test_line_) + ")");
    flow_.close(ShellFlow::Kind::group);
    brackets_ = 0;
}

ShellStatus ShellReader::status_of_command() {
    ShellStatus status;
    const auto& words = command_.words;
    const std::string_view program = words.empty() ? std::string_view() : words[0];
    constexpr std::array<std::string_view, 3> tests = {"[", "[[", "test"};
    constexpr std::array<std::string_view, 6> finders = {"command", "which", "type",
                                                         "hash",    "mkdir", "cd"};
    constexpr std::array<std::string_view, 8> fine = {"true", ":",    "break",  "continue",
                                                      "set",  "echo", "printf", "unset"};
    const bool goes_on = std::exchange(test_goes_on_, false);
    // Does the status depend on an unknown command, or on something that cannot be expanded?
    const bool asks =
        words.empty() && (command_.problem.is_hard() ||
                          std::any_of(assignments_.begin(), assignments_.end(),
                                      [](const Assignment& one) { return is_unknown(one.value); }));
    if (words.empty() && script_.printed_status) {
        // X=$(a command) ends with the command's status.
        status = *script_.printed_status;
    } else if (asks) {
        // Its status is unknown.
    } else if (words.empty() || is_one_of(program, fine) || sets_variables(words[0])) {
        status.truth = Truth::yes;
    } else if (program == "false") {
        status.truth = Truth::no;
    } else if (goes_on || is_one_of(program, tests)) {
        const std::string bracket = goes_on ? "[[" : std::string(program);
        std::vector<std::string> rest(words.begin() + (goes_on ? 0 : 1), words.end());
        test_goes_on_ = bracket == "[[" && words.back() != "]]";
        if (command_.problem.is_hard())
            rest.emplace_back(unknown_text);
        status =
            shell_test(bracket, std::move(rest), variables_, script_.reading == ShellReading::here);
        status.soft = status.soft || command_.problem;
        status.text =
            (inverted_ ? "! " : "") + written() + " (line " + std::to_string(command_.line) + ")";
    } else if (is_one_of(program, finders)) {
        // QEMU was found, or it would not have been started.
        const std::string_view what = last_part(words.back());
        if (program == "mkdir" || program == "cd" || what.starts_with("qemu") || what == "kvm")
            status.truth = Truth::yes;
    } else if (words.back() == "kvm-ok") {
        status = {Truth::yes, true, false, written()};
    }
    if (inverted_)
        status.truth = negated(status.truth);
    status.inverted = inverted_;
    // If branches are not followed, they all count alike; but a test for an unset variable still
    // leads to its default.
    if (!follows() && !(status.truth == Truth::yes && words.size() > 1 && words[1] == "-z") &&
        !words.empty() && is_one_of(program, tests))
        status.truth = Truth::unknown;
    return status;
}

void ShellReader::finish_command() {
    if (command_.words.empty() || sets_variables(command_.words[0])) {
        finish_assignments();
        return;
    }
    // An image that exists already was made before.
    note_image();
    if (reach() == Truth::no)
        pass_over_command();
    else
        run_command();
}

// NAME=VALUE, export NAME=VALUE
void ShellReader::finish_assignments() {
    const bool refers = declares('n');
    for (const Assignment& one : assignments_) {
        if (!refers)
            assign(one.name, one.value, one.append);
    }
    if (reach() == Truth::no)
        return;
    if (refers)
        declare_references();
    else if (!command_.words.empty())
        declare();
    notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
}

// The command is not run; but if it starts QEMU, or reads settings, a note says so.
void ShellReader::pass_over_command() {
    const auto& words = command_.words;
    ended_by_exec_ = ended_by_exec_ && words[0].starts_with('-');
    if (ended_by_exec_)
        cut_off();
    if (words.size() > 1 && (words[0] == "." || words[0] == "source")) {
        note_tests();
        pass_over(shown(shell_text(words)));
    }
    if (!is_start_of_qemu(words))
        return;
    if (flow_.by_files()) {
        command_.is_passed = true;
        record();
    } else {
        note_tests();
        pass_over(shown(last_part(*find_qemu(words))) + " ...");
        script_.is_left_before_qemu = script_.is_left_before_qemu || script_.is_left;
    }
}

// Does what the shell's own command does, calls the function, or records the program.
void ShellReader::run_command() {
    const auto& words = command_.words;
    if (words[0] == "xargs" || words[0] == "parallel")
        add_problem({"options that `" + words[0] + "' adds"});
    const ShellFunction* const function = script_.functions.find(words[0]);
    if (words[0] == "eval" && words.size() > 1) {
        read_eval();
    } else if ((words[0] == "cd" || words[0] == "pushd" || words[0] == "popd") &&
               words.size() <= 2) {
        change_directory();
    } else if (words[0] == "set" && words.size() > 1) {
        set_options();
        set_arguments();
    } else if (words[0] == "getopts" && words.size() >= 3 && follows()) {
        called_ = next_option();
    } else if (words[0] == "shift") {
        shift();
    } else if (words[0] == "break" || words[0] == "continue") {
        flow_.leave_loops(words.size() > 1 ? parse_whole<size_t>(words[1]).value_or(1) : size_t{1},
                          words[0] == "continue");
    } else if (is_one_of(words[0], changers) && words.size() > 1) {
        change_variables();
    } else if (words[0] == "return") {
        leave_function();
    } else if (words[0] == "exit") {
        leave();
    } else if (function != nullptr) {
        call(*function);
    } else {
        run_program();
    }
}

// Records the program, and what it runs itself. Behind `exec', nothing else of the script is run.
void ShellReader::run_program() {
    const bool last = command_.words[0] == "exec" && command_.words.size() > 1;
    read_nested();
    const size_t before = commands_.size();
    record();
    if (last)
        leave();
    ended_by_exec_ = last && last_start_ == before && reach() == Truth::no;
}

void ShellReader::assign_all() {
    for (const Assignment& one : std::exchange(assignments_, {}))
        assign(one.name, one.value, one.append);
}

// -drive file=b.img at the beginning of a line, or the second half of a word (-device pci-, and
// bridge,id=a in the next line): no shell has such a command, so the start of QEMU before it was
// meant to go on.
void ShellReader::cut_off() {
    constexpr size_t most = 100;
    if (!follows() || last_start_ >= commands_.size() || command_.words.empty())
        return;
    std::string_view word = command_.words[0];
    const bool as_written = written_.starts_with(word);
    ShellCommand& start = commands_[last_start_];
    constexpr std::string_view unfinished = "-=,";
    const std::string& last = start.words.back();
    const bool is_half =
        word.find(',') != std::string_view::npos ||
        (!last.empty() && unfinished.find(last.back()) != std::string_view::npos && last != "-");
    word.remove_prefix(word.starts_with("--") ? 2 : word.starts_with('-') ? 1 : word.size());
    if (!as_written || (shell_name_length(word) == 0 && !is_half) || start.cut_off.size() == most)
        return;
    if (start.cut_off.empty())
        start.cut_line = command_.line;
    start.cut_off.push_back(shell_text(command_.words));
}

void ShellReader::record() {
    note_tests();
    cut_off();
    if (find_qemu(command_.words) != command_.words.end())
        last_start_ = commands_.size();
    command_.directory = directory_;
    command_.ends = script_.ends;
    command_.notes.insert(command_.notes.begin(), notes_.begin(), notes_.end());
    commands_.push_back(std::move(command_));
}

void ShellReader::note_tests() {
    constexpr size_t most = 100;
    for (const auto& [text, truth] : flow_.tests()) {
        const std::pair<std::string, bool> one{text, truth == Truth::yes};
        if (script_.tests.size() < most &&
            std::find(script_.tests.begin(), script_.tests.end(), one) == script_.tests.end())
            script_.tests.push_back(one);
    }
}

void ShellReader::note_image() {
    auto image = image_made_by(command_.words);
    if (!image || command_.problem.is_hard() || is_unknown(command_.words))
        return;
    for (MadeImage& other : script_.images) {
        if (other.path == image->path && other.format != image->format)
            other.format = image->format = "";
    }
    constexpr size_t most = 100;
    if (script_.images.size() < most)
        script_.images.push_back(std::move(*image));
}

void ShellReader::pass_over(const std::string& what) {
    constexpr size_t most = 100;
    const std::string one = what + " (line " + std::to_string(command_.line) + ")";
    if (script_.others.size() < most && !flow_.is_over() && !script_.reached.contains(one) &&
        std::find(script_.others.begin(), script_.others.end(), one) == script_.others.end())
        script_.others.push_back(one);
}

// For instance, in another round of a loop.
void ShellReader::come_to(const std::string& what) {
    const std::string one = what + " (line " + std::to_string(command_.line) + ")";
    script_.reached.insert(one);
    std::erase(script_.others, one);
}

// return, return 1
void ShellReader::leave_function() {
    const auto& words = command_.words;
    ShellStatus said;  // by the number given
    if (words.size() > 1) {
        if (const auto number = parse_whole<unsigned>(words[1]))
            said.truth = truth_of(*number == 0);
    }
    if (reach() != Truth::yes || !follows()) {
        unsure_ = true;
        // A return upon failure: nothing failed, or QEMU would not have been started.
        const bool failed = words.size() > 1 ? said.truth == Truth::no : flow_.is_behind_or();
        if (!failed && !unsure_from_)
            unsure_from_ = variables_.mark();
        if (!failed && printed_ != nullptr)
            printed_->known = false;
        return;
    }
    note_tests();
    returned_ = words.size() > 1 ? said : flow_.status();
    flow_.leave();
}

// If arguments or files decide about it, it may be otherwise, and what comes below counts.
void ShellReader::leave() {
    if (reach() == Truth::yes && flow_.soft() && follows()) {
        const std::string end =
            shown(shell_text(command_.words)) + " (line " + std::to_string(command_.line) + ")";
        constexpr size_t most = 100;
        if (script_.ends.size() < most &&
            std::find(script_.ends.begin(), script_.ends.end(), end) == script_.ends.end())
            script_.ends.push_back(end);
    }
    if (reach() != Truth::yes || flow_.soft() || !follows() || flow_.leave_subshell())
        return;
    flow_.leave();
    script_.is_left = true;
    if (!script_.is_left_before_qemu)
        script_.left = command_.line;
}

// Under a condition, or with unknown arguments, it is unknown which arguments are left.
void ShellReader::shift() {
    const auto& words = command_.words;
    const auto count = words.size() > 1 ? parse_whole<size_t>(words[1]) : size_t{1};
    if (reach() == Truth::yes && count && !command_.problem)
        variables_.shift(*count);
    else if (variables_.arguments() != nullptr)
        variables_.set_arguments({{}, {"an argument after a `shift' under a condition,"}});
}

void ShellReader::change_directory() {
    const std::string to = command_.words.size() > 1 ? command_.words[1] : std::string();
    const bool known =
        reach() == Truth::yes && !to.empty() && to != "-" && !command_.problem && !is_unknown(to);
    // From here on, relative paths start where translate runs.
    if (!known)
        notes_.push_back(written());
    directory_ = !known                                      ? ""
                 : to.starts_with('/') || directory_.empty() ? to
                                                             : directory_ + "/" + to;
    if (directory_.starts_with('/'))
        variables_.set("PWD", {{directory_}}, false, false, false);
    else
        variables_.forget("PWD", "changed by `cd'");
}

void ShellReader::change_variables() {
    const auto& words = command_.words;
    const std::string& program = words[0];
    if (program == "source" || program == ".") {
        // What it sets is unknown, but a note says that it is there.
        script_.is_open = true;
        notes_.push_back(shown(shell_text(words)));
        return;
    }
    if (take_input())
        return;
    for (size_t i = 1; i < words.size(); i++) {
        const size_t length = shell_name_length(words[i]);
        const bool is_name = length > 0 && length == words[i].size();
        if (program == "let") {
            const SumStatus sum = shell_sum(words[i], variables_);
            apply(sum, program);
            called_ = ShellStatus();
            if (sum.holds && follows())
                called_->truth = truth_of(*sum.holds);
            continue;
        }
        const bool sets =
            program == "printf" ? words[i - 1] == "-v" : is_name && words[i - 1] != "-p";
        // unset 'NAME[1]', read NAME[1], printf -v NAME[1]
        const bool is_element = length > 0 && words[i].ends_with(']') && words[i][length] == '[' &&
                                (program != "printf" || words[i - 1] == "-v");
        if (!sets && !is_element)
            continue;
        const std::string name = words[i].substr(0, length);
        const auto before = variables_.saved(name);
        const bool read_only = before && before->attributes.read_only;
        if (program == "unset" && reach() == Truth::yes && !is_element && !read_only)
            variables_.unset(name);
        else if (program == "printf" && reach() == Truth::yes && !command_.problem.is_hard() &&
                 !is_element)
            assign_formatted(name,
                             {words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()});
        // `while read' rarely reads what is typed: its input is given after `done'.
        else if (program == "read" && command_.redirections.empty() && !flow_.is_in_condition() &&
                 !is_element)
            variables_.forget(name, "typed where `read' asks", true);
        else
            variables_.forget(name, "set by `" + program + "'");
        if (program == "unset" && words[1] == "-f")
            script_.functions.remove(name);
    }
}

// printf -v NAME FORMAT WORDS: makes a random address, for instance, which is unknown and stands
// for itself.
void ShellReader::assign_formatted(const std::string& name, std::vector<std::string> words) {
    words.insert(words.begin(), "printf");
    const auto text = shell_printed(words);
    variables_.set(name, {{text.value_or(std::string(unknown_text))}, command_.problem}, false,
                   false, false);
}

void ShellReader::apply(const SumStatus& sum, const std::string& program) {
    for (const std::string& name : sum.names) {
        if (reach() == Truth::no)
            break;
        if (sum.value && reach() == Truth::yes)
            variables_.set(name, {{std::to_string(*sum.value)}}, false, false, false);
        else
            variables_.forget(name, "set by `" + program + "'");
    }
}

void ShellReader::leave_subshell() {
    directory_ = std::move(subshells_.back().directory);
    variables_.undo_to(subshells_.back().mark);
    script_.functions.undo_to(subshells_.back().functions);
    subshells_.pop_back();
}

void ShellReader::count_round() {
    if (++script_.rounds > most_rounds)
        throw ScriptRefused("the script's loops and function calls come to more than " +
                            std::to_string(most_rounds) + " rounds");
}

size_t ShellReader::count_of_arguments() const {
    return variables_.arguments() == nullptr ? 0 : variables_.arguments()->words.size();
}

// Begins another round, if the loop goes through a list.
void ShellReader::end_loop() {
    ShellLoop* const loop = flow_.loop();
    flow_.end_round();
    if (loop != nullptr && follows() && loop->counted && !loop->values.empty() &&
        !flow_.is_left() && reach() != Truth::no) {
        count_round();
        const std::string value = loop->values[0];
        loop->values.erase(loop->values.begin());
        variables_.set(loop->variable, {{value}}, false, false, reach() != Truth::yes);
        words_.go_to(loop->place, loop->line);
        flow_.begin_round();
        return;
    }
    if (loop != nullptr && follows() && !loop->step.empty() && !flow_.is_left() &&
        reach() == Truth::yes) {
        count_round();
        apply_sum(loop->step);
        const auto holds = apply_sum(loop->condition);
        drop_command();
        if (holds.value_or(true)) {
            words_.go_to(loop->place, loop->line);
            flow_.begin_round();
            return;
        }
    }
    const size_t arguments = count_of_arguments();
    if (loop != nullptr && follows() && reach() != Truth::no &&
        flow_.asks_again(arguments < loop->arguments)) {
        count_round();
        loop->arguments = arguments;
        words_.go_to(loop->place, loop->line);
        flow_.begin_round();
        return;
    }
    // It is unknown how often the loop runs, and so what its variables are afterwards.
    if (follows() && flow_.is_uncounted()) {
        for (const std::string& name : variables_.changed_since(flow_.loop_mark()))
            variables_.forget(name, "set in a loop with an unknown number of rounds");
    }
    flow_.close(ShellFlow::Kind::loop);
}

}  // namespace tapgate
