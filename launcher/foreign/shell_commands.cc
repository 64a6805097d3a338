// SPDX-License-Identifier: GPL-2.0-or-later
//
// Of ShellReader: what a command does when it is whole.
#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/qemu_words.h"
#include "launcher/foreign/shell_reader.h"
#include "launcher/foreign/shell_test.h"
#include "launcher/foreign/words.h"

namespace tapgate {

namespace {

constexpr unsigned deepest_script = 3;
constexpr unsigned deepest_call = 12;
constexpr unsigned most_rounds = 500;

// Programs of the shell's own that set variables to what nobody knows, or to nothing.
constexpr std::array<std::string_view, 8> changers = {"read", "mapfile", "readarray", "unset",
                                                      "let",  "printf",  "source",    "."};

bool is_setter(const std::string& word) {
    constexpr std::array<std::string_view, 5> setters = {"export", "local", "readonly", "declare",
                                                         "typeset"};
    return is_one_of(word, setters);
}

}  // namespace

void ShellReader::finish() {
    constexpr std::array<std::string_view, 3> shells = {"sh", "bash", "dash"};
    const auto& words = command_.words;
    const bool to_file =
        std::find(words.begin(), words.end(), "tee") != words.end() ||
        std::any_of(command_.redirections.begin(), command_.redirections.end(),
                    [](const auto& one) { return one.starts_with('>') && !one.starts_with(">&"); });
    for (size_t i = documents_before_; i < documents_.size(); i++) {
        documents_[i].is_written = to_file;
        documents_[i].is_a_script =
            reach() != Truth::no &&
            (to_file || (!words.empty() && is_one_of(last_part(words[0]), shells)));
    }
    documents_before_ = documents_.size();
    if (command_.words.empty() && assignments_.empty()) {
        if (!started_)
            return;
        notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
    } else {
        const bool inverted = inverted_;
        ShellStatus status = status_of_command();
        called_.reset();
        finish_command();
        if (called_) {
            status = *called_;
            status.truth = inverted ? negated(status.truth) : status.truth;
        }
        flow_.ended(status);
        inverted_ = false;
    }
    command_ = {};
    assignments_.clear();
    started_ = hard_ = false;
}

ShellStatus ShellReader::status_of_command() {
    ShellStatus status;
    const auto& words = command_.words;
    const std::string_view program = words.empty() ? std::string_view() : words[0];
    constexpr std::array<std::string_view, 3> tests = {"[", "[[", "test"};
    constexpr std::array<std::string_view, 6> finders = {"command", "which", "type",
                                                         "hash",    "mkdir", "cd"};
    const std::string text =
        shown(trimmed(written_.substr(0, written_.size() - words_.rest().size()), " \t\n;&|"));
    const bool goes_on = std::exchange(test_goes_on_, false);
    if (words.empty() || program == "true" || program == ":" || is_setter(words[0])) {
        status.truth = Truth::yes;
    } else if (program == "false") {
        status.truth = Truth::no;
    } else if (goes_on || is_one_of(program, tests)) {
        const std::string bracket = goes_on ? "[[" : std::string(program);
        std::vector<std::string> rest(words.begin() + (goes_on ? 0 : 1), words.end());
        test_goes_on_ = bracket == "[[" && words.back() != "]]";
        if (!hard_)
            status = shell_test(bracket, std::move(rest), variables_,
                                script_.reading == ShellReading::here);
        status.soft = status.soft || !command_.problem.empty();
        status.text = text + " (line " + std::to_string(command_.line) + ")";
    } else if (program == "getopts" && variables_.arguments() == nullptr) {
        status = {Truth::no, true, false, {}};
    } else if (is_one_of(program, finders)) {
        // QEMU was there, or it would not have started.
        const std::string_view what = last_part(words.back());
        if (program == "mkdir" || program == "cd" || what.starts_with("qemu") || what == "kvm")
            status.truth = Truth::yes;
    } else if (words.back() == "kvm-ok") {
        status = {Truth::yes, true, false, text};
    }
    if (inverted_)
        status.truth = negated(status.truth);
    // All branches alike: but a default for what nothing has set is one.
    if (!follows() && !(status.truth == Truth::yes && words.size() > 1 && words[1] == "-z") &&
        !words.empty() && is_one_of(program, tests))
        status.truth = Truth::unknown;
    return status;
}

void ShellReader::finish_command() {
    auto& words = command_.words;
    if (words.empty() || is_setter(words[0])) {
        for (const Assignment& one : assignments_)
            assign(one.name, one.value, one.append);
        notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
        return;
    }
    if (reach() == Truth::no) {
        // Not run; but another start of QEMU is not left out without a word.
        if (is_start_of_qemu(words) && flow_.by_files()) {
            command_.is_passed = true;
            record();
        } else if (is_start_of_qemu(words)) {
            note_tests();
            pass_over(shown(last_part(*find_qemu(words))) + " ...");
        }
        return;
    }
    if (words[0] == "xargs" || words[0] == "parallel")
        problem("options that `" + words[0] + "' adds");
    const auto function = script_.functions.find(words[0]);
    if (words[0] == "eval" && words.size() == 2) {
        read_eval();
    } else if ((words[0] == "cd" || words[0] == "pushd") && words.size() <= 2) {
        change_directory();
    } else if (words[0] == "set" && words.size() > 1) {
        set_arguments();
    } else if (words[0] == "shift") {
        variables_.shift(words.size() > 1 ? parse_whole<size_t>(words[1]).value_or(0) : size_t{1});
    } else if (words[0] == "break") {
        flow_.leave_loop();
    } else if (words[0] == "continue") {
        flow_.leave_round();
    } else if (is_one_of(words[0], changers) && words.size() > 1) {
        change_variables();
    } else if (words[0] == "return") {
        leave_function();
    } else if (words[0] == "exit") {
        leave();
    } else if (function != script_.functions.end()) {
        call(function->second);
    } else {
        const bool last = words[0] == "exec" && words.size() > 1;
        read_nested();
        record();
        if (last)
            leave();
    }
}

void ShellReader::record() {
    note_tests();
    command_.directory = directory_;
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

void ShellReader::pass_over(const std::string& what) {
    constexpr size_t most = 100;
    const std::string one = what + " (line " + std::to_string(command_.line) + ")";
    if (script_.others.size() < most && !flow_.is_over() &&
        std::find(script_.others.begin(), script_.others.end(), one) == script_.others.end())
        script_.others.push_back(one);
}

// return, return 1
void ShellReader::leave_function() {
    if (reach() != Truth::yes || flow_.soft() || !follows()) {
        unsure_ = true;
        return;
    }
    returned_ = flow_.status();
    if (command_.words.size() > 1) {
        const auto number = parse_whole<unsigned>(command_.words[1]);
        *returned_ = ShellStatus();
        if (number)
            returned_->truth = *number == 0 ? Truth::yes : Truth::no;
    }
    flow_.leave();
}

// What arguments or files decide may be otherwise, so that what stands below it counts.
void ShellReader::leave() {
    if (reach() != Truth::yes || flow_.soft() || !follows())
        return;
    flow_.leave();
    script_.is_left = true;
}

void ShellReader::change_directory() {
    const std::string to = command_.words.size() > 1 ? command_.words[1] : std::string();
    const bool known =
        !to.empty() && command_.problem.empty() && to.find(unknown_text) == std::string::npos;
    // Relative paths behind it are taken from where translate runs.
    if (!known)
        notes_.push_back(
            shown(trimmed(written_.substr(0, written_.size() - words_.rest().size()), " \t\n;&|")));
    directory_ = !known                                      ? ""
                 : to.starts_with('/') || directory_.empty() ? to
                                                             : directory_ + "/" + to;
    remember("PWD");
    if (directory_.starts_with('/'))
        variables_.set("PWD", {{directory_}, {}, false}, false, false, false);
    else
        variables_.set("PWD", {{}, "changed by `cd'", false}, false, false, false);
}

void ShellReader::change_variables() {
    const auto& words = command_.words;
    const std::string& program = words[0];
    if (program == "source" || program == ".") {
        // What it sets is not known; that it is there is said.
        notes_.push_back(shown(shell_text(words)));
        return;
    }
    for (size_t i = 1; i < words.size(); i++) {
        const size_t length = shell_name_length(words[i]);
        const bool is_name = length > 0 && length == words[i].size();
        const bool sets = program == "printf" ? words[i - 1] == "-v"
                          : program == "let"  ? length > 0
                                              : is_name && words[i - 1] != "-p";
        if (!sets)
            continue;
        const std::string name = words[i].substr(0, length);
        remember(name);
        if (program == "unset" && reach() == Truth::yes)
            variables_.unset(name);
        else
            variables_.forget(name, "set by `" + program + "'");
    }
}

// set -- WORDS: "$@" from here on.
void ShellReader::set_arguments() {
    const auto dashes = std::find(command_.words.begin(), command_.words.end(), "--");
    if (dashes == command_.words.end())
        return;
    if (!command_.problem.empty() || reach() != Truth::yes) {
        // One word that nobody knows: whoever needs it cannot go on.
        variables_.set_arguments({std::string(unknown_text)});
        return;
    }
    variables_.set_arguments({dashes + 1, command_.words.end()});
}

void ShellReader::remember(const std::string& name) {
    if (!subshells_.empty() && !subshells_.back().variables.contains(name))
        subshells_.back().variables[name] = variables_.saved(name);
}

void ShellReader::leave_subshell() {
    const Subshell subshell = std::move(subshells_.back());
    subshells_.pop_back();
    directory_ = subshell.directory;
    for (const auto& [name, value] : subshell.variables)
        variables_.restore(name, value);
}

// A second reading; of plain words it changes nothing.
void ShellReader::read_eval() {
    const std::string text = command_.words[1];
    if (const size_t length = shell_name_length(text);
        length > 0 && length < text.size() && (text[length] == '=' || text[length] == '+')) {
        remember(text.substr(0, length));
        variables_.forget(text.substr(0, length), "set by `eval'");
        return;
    }
    if (text.find_first_of("$`'\"\\*?") != std::string::npos)
        problem("`eval'");
    command_.words = {};
    for (size_t at = text.find_first_not_of(" \t\n"); at < text.size();
         at = text.find_first_not_of(" \t\n", at)) {
        const size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
        command_.words.push_back(text.substr(at, end - at));
        at = end;
    }
    record();
}

void ShellReader::count_round() {
    if (++script_.rounds > most_rounds)
        throw LauncherError("the script's loops and functions take more than " +
                            std::to_string(most_rounds) + " rounds");
}

// Another round, where the loop goes through a list.
void ShellReader::end_loop() {
    ShellLoop* const loop = flow_.loop();
    if (loop != nullptr && follows() && loop->counted && !loop->values.empty() &&
        !flow_.is_left() && reach() != Truth::no) {
        count_round();
        const std::string value = loop->values[0];
        loop->values.erase(loop->values.begin());
        variables_.set(loop->variable, {{value}, {}, false}, false, false, reach() != Truth::yes);
        words_.go_to(loop->place, loop->line);
        flow_.begin_round();
        return;
    }
    if (loop != nullptr && follows() && flow_.asks_again()) {
        count_round();
        words_.go_to(loop->place, loop->line);
        inverted_ = loop->inverted;
        flow_.begin_round();
        return;
    }
    flow_.close(ShellFlow::Kind::loop);
}

// A function of the script, with the arguments of this call.
void ShellReader::call(const Function& function) {
    if (nesting_ >= deepest_call)
        throw LauncherError("the script's functions call each other without an end");
    count_round();
    std::vector<std::string> arguments(command_.words.begin() + 1, command_.words.end());
    // A problem of an argument is one of what is made of it.
    const bool known = command_.problem.empty();
    const std::string problem_text = command_.problem;
    for (const auto& [name, value] : command_.environment)
        set(name, {value}, false, false);
    variables_.enter(std::move(arguments));
    const std::string body = function.body;
    ShellReader reader(body, variables_, script_, function.line, nesting_ + 1);
    reader.directory_ = directory_;
    reader.flow_.start_with(reach(), flow_.soft());
    std::vector<ShellCommand> commands = reader.read();
    variables_.leave();
    directory_ = reader.directory_;
    called_ = reader.unsure_ ? ShellStatus() : reader.returned_.value_or(reader.flow_.status());
    if (script_.is_left)
        flow_.leave();
    for (ShellCommand& command : commands) {
        if (!known && command.problem.empty())
            command.problem = problem_text;
        // Where it is called, since that is where its calls differ.
        command.line = command_.line;
        commands_.push_back(std::move(command));
    }
}

// What `bash -c TEXT' and `alias NAME=TEXT' have in one word is a script.
void ShellReader::read_nested() {
    constexpr std::array<std::string_view, 8> shells = {"ash", "bash", "dash",   "runuser",
                                                        "sh",  "su",   "script", "zsh"};
    bool shell = false;
    const std::vector<std::string> words = command_.words;
    for (size_t i = 0; i < words.size(); i++) {
        if (words[0] == "alias" && i > 0)
            read_nested(words[i].substr(words[i].find('=') + 1), variables_, script_, command_.line,
                        false);
        else if (shell && i + 1 < words.size() && (words[i] == "-c" || words[i] == "-lc"))
            read_nested(words[i + 1], variables_, script_, command_.line, false);
        shell = shell || is_one_of(last_part(words[i]), shells);
    }
}

void ShellReader::read_nested(const std::string& text, ShellVariables& variables, Script& script,
                              unsigned line, bool written) {
    if (nesting_ >= deepest_script)
        return;
    ShellReader reader(text, variables, script, line, nesting_ + 1);
    std::vector<ShellCommand> commands = reader.read();
    // What nobody knows of the text is a problem of all that stands in it.
    for (ShellCommand& command : commands) {
        if (!written && command.problem.empty())
            command.problem = command_.problem;
    }
    take_over(std::move(commands), written);
}

void ShellReader::take_over(std::vector<ShellCommand> commands, bool written) {
    for (ShellCommand& command : commands) {
        if (command.directory.empty() && !written)
            command.directory = directory_;
        command.is_written = command.is_written || written;
        commands_.push_back(std::move(command));
    }
}

// The lines of here-documents are no commands, unless they are those of a file that is written.
void ShellReader::read_documents() {
    for (const Document& document : std::exchange(documents_, {})) {
        std::string text;
        const unsigned line = words_.line();
        while (!words_.at_end()) {
            const std::string_view rest = words_.rest();
            const std::string_view here = rest.substr(0, rest.find('\n'));
            const bool last = trimmed(here) == document.end;
            if (!last)
                text.append(here).append("\n");
            skip_line();
            if (!words_.at_end())
                next();
            if (last)
                break;
        }
        if (!document.is_a_script || !follows())
            continue;
        if (document.expands)
            text = ShellWordReader(text, variables_, line).read_document();
        ShellVariables variables(variables_.lookup());
        Script script{script_.reading, {}, script_.rounds, false, {}, {}};
        read_nested(text, variables, script, line, document.is_written);
        script_.rounds = script.rounds;
    }
    documents_before_ = 0;
}

}  // namespace tapgate
