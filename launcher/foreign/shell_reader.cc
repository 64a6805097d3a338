// SPDX-License-Identifier: GPL-2.0-or-later
//
// Of ShellReader: characters, words and assignments. What ends a command is in shell_commands.cc.
#include "launcher/foreign/shell_reader.h"

#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/shell_test.h"
#include "launcher/foreign/words.h"

namespace tapgate {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

constexpr std::array<std::string_view, 5> setters = {"export", "local", "readonly", "declare",
                                                     "typeset"};

// -m, -drive; but no -1.
bool is_option(std::string_view word) {
    return word.size() > 1 && word[0] == '-' && (word[1] == '-' || (word[1] >= 'a' && word[1] <= 'z'));
}

// Whether there is KVM is asked again at each start.
bool chooses_kvm(const std::vector<std::string>& words) {
    constexpr std::array<std::string_view, 6> kvm = {"-enable-kvm", "--enable-kvm", "-accel",
                                                     "kvm",         "-machine",     "accel=kvm"};
    return !words.empty() && std::all_of(words.begin(), words.end(), [&](const auto& word) {
        return is_one_of(std::string_view(trimmed(word)), kvm);
    });
}

}  // namespace

std::vector<ShellCommand> ShellReader::read() {
    while (!words_.at_end())
        read_part();
    finish();
    return std::move(commands_);
}

void ShellReader::problem(const std::string& what, bool soft) {
    hard_ = hard_ || !soft;
    if (command_.problem.empty())
        command_.problem = what + " in line " + std::to_string(words_.line());
}

// What a word could not say.
void ShellReader::take_problem() {
    const bool soft = !words_.has_hard_problem();
    if (const std::string what = words_.take_problem(); !what.empty())
        problem(what, soft);
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
    if (follows() && flow_.awaits_pattern()) {
        read_patterns();
    } else if (is_blank(c)) {
        next();
    } else if (c == '\\' && peek(1) == '\n') {
        words_.skip(2);
    } else if (c == '\n') {
        finish();
        flow_.next_list();
        next();
        read_documents();
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
    next();
    if (c == '&') {
        command_.background = peek() != '&';
        if (!command_.background)
            next();
        const bool background = command_.background;
        finish();
        if (background)
            flow_.next_list();
        else
            flow_.and_then();
        return;
    }
    finish();
    if (c == '(') {
        flow_.open(ShellFlow::Kind::subshell);
        directories_.push_back(directory_);
    } else if (c == ')') {
        if (flow_.is_in(ShellFlow::Kind::subshell)) {
            flow_.close(ShellFlow::Kind::subshell);
            directory_ = directories_.back();
            directories_.pop_back();
        }
    } else if (peek() == ';' || peek() == '&') {
        while (peek() == ';' || peek() == '&')
            next();
        if (follows())
            flow_.end_branch();
        flow_.next_list();
    } else {
        flow_.next_list();
    }
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
        flow_.or_else();
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
    problem("a pipe (`|')");
    finish();
    problem("a pipe (`|')");
}

void ShellReader::read_redirection(std::string redirection) {
    const bool document = peek() == '<' && peek(1) == '<' && peek(2) != '<';
    if (peek() == '<' && peek(1) == '<')
        problem("a here-document (`<<')");
    while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '|')
        redirection += next();
    if (document && peek() == '-')
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
                              false, false});
    command_.redirections.push_back(redirection);
}

void ShellReader::begin_word() {
    if (!started_) {
        command_.line = words_.line();
        written_ = words_.rest();
    }
    started_ = true;
}

void ShellReader::read_word() {
    const bool first = command_.words.empty() && assignments_.empty();
    if (first && read_keyword())
        return;
    begin_word();
    if (command_.words.empty() || is_one_of(command_.words[0], setters)) {
        if (read_assignment())
            return;
    }
    words_.allow_patterns(is_in_test());
    const std::string_view before = words_.rest();
    const std::vector<std::string> fields = words_.read(true);
    words_.allow_patterns(false);
    take_problem();
    const std::string_view written = before.substr(0, before.size() - words_.rest().size());
    if ((peek() == '<' || peek() == '>') &&
        std::all_of(written.begin(), written.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        read_redirection(std::string(written));
        return;
    }
    command_.words.insert(command_.words.end(), fields.begin(), fields.end());
}

// Words of the shell's own, where a command begins.
bool ShellReader::read_keyword() {
    const std::string_view rest = words_.rest();
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t\n;&|<>()\"'$`\\="));
    constexpr std::array<std::string_view, 16> keywords = {
        "if",    "then",  "elif",   "else", "fi", "while", "until",    "for",
        "do",    "done",  "select", "case", "esac", "{",   "}",  "function"};
    if (word == "!") {
        words_.skip(1);
        inverted_ = !inverted_;
        return true;
    }
    // A word that goes on is another one: if=virtio.
    const char behind = word.size() < rest.size() ? rest[word.size()] : '\n';
    if (!is_one_of(word, keywords) || std::string_view(" \t\n;&|<>()").find(behind) == std::string_view::npos)
        return false;
    finish();
    command_ = {};
    hard_ = false;
    words_.skip(word.size());
    if (word == "if") {
        flow_.open(ShellFlow::Kind::condition);
    } else if (word == "then") {
        flow_.then();
    } else if (word == "elif") {
        flow_.otherwise_if();
    } else if (word == "else") {
        flow_.otherwise();
    } else if (word == "fi") {
        flow_.close(ShellFlow::Kind::condition);
    } else if (word == "while" || word == "until") {
        flow_.open_loop({}, {});
        inverted_ = word == "until";
    } else if (word == "for" || word == "select") {
        read_for();
    } else if (word == "do") {
        flow_.enter_loop();
    } else if (word == "done") {
        end_loop();
    } else if (word == "case") {
        read_case();
    } else if (word == "esac") {
        flow_.close(ShellFlow::Kind::choice);
    } else if (word == "{") {
        flow_.open(ShellFlow::Kind::group);
    } else if (word == "}") {
        flow_.close(ShellFlow::Kind::group);
    } else {
        skip_blanks(false);
        const std::vector<std::string> name = words_.read(false);
        skip_blanks(false);
        if (words_.rest().starts_with("()"))
            words_.skip(2);
        if (!name.empty())
            read_function(name[0]);
    }
    return true;
}

// case WORD in
void ShellReader::read_case() {
    skip_blanks(false);
    begin_word();
    const std::string_view before = words_.rest();
    const std::vector<std::string> fields = words_.read(false);
    const std::string written(before.substr(0, before.size() - words_.rest().size()));
    take_problem();
    const std::string value = fields.empty() ? std::string() : fields[0];
    const bool known = !hard_ && value.find(unknown_text) == std::string::npos;
    const bool soft = !command_.problem.empty();
    command_ = {};
    started_ = hard_ = false;
    skip_blanks(true);
    if (words_.rest().starts_with("in"))
        words_.skip(2);
    flow_.open_choice(shown(written), known, soft);
    flow_.compared() = value;
    if (!follows())
        flow_.begin_branch(Truth::unknown, {});
}

// The patterns in front of a branch, up to the bracket.
void ShellReader::read_patterns() {
    skip_blanks(true);
    if (peek() == '#') {
        skip_line();
        return;
    }
    const std::string_view rest = words_.rest();
    if (rest.starts_with("esac") || words_.at_end()) {
        words_.skip(4);
        flow_.close(ShellFlow::Kind::choice);
        return;
    }
    if (peek() == '(')
        next();
    Truth matches = Truth::no;
    std::string all;
    for (bool more = true; more;) {
        std::string pattern;
        char quote = '\0';
        while (!words_.at_end() && peek() != '\n' &&
               (quote != '\0' || (peek() != ')' && peek() != '|'))) {
            const char c = next();
            if (quote == '\0' && (c == '\'' || c == '"'))
                quote = c;
            else if (c == quote)
                quote = '\0';
            pattern += c;
        }
        more = peek() == '|';
        if (!words_.at_end())
            next();
        const std::string text(trimmed(pattern));
        all += (all.empty() ? "" : "|") + text;
        ShellWordReader reader(text, variables_, words_.line());
        const std::string expanded = reader.read_all();
        const Truth one = reader.take_problem().empty()
                              ? matches_pattern(expanded, flow_.compared())
                              : Truth::unknown;
        matches = std::max(matches, one);
    }
    flow_.begin_branch(matches, shown(all));
}

// for NAME in WORDS
void ShellReader::read_for() {
    begin_word();
    skip_blanks(false);
    ShellLoop loop;
    ShellStatus status;
    if (words_.rest().starts_with("((")) {
        while (!words_.at_end() && peek() != '\n' && !words_.rest().starts_with("))"))
            next();
        words_.skip(2);
    } else {
        const std::vector<std::string> name = words_.read(false);
        loop.variable = name.empty() ? "" : name[0];
        skip_blanks(true);
        const bool listed = words_.rest().starts_with("in ") || words_.rest().starts_with("in\t");
        if (listed)
            words_.skip(2);
        for (skip_blanks(false); listed && !words_.at_end() &&
                                 std::string_view("\n;&|<>()").find(peek()) == std::string_view::npos;
             skip_blanks(false)) {
            for (std::string& word : words_.read(true))
                loop.values.push_back(std::move(word));
        }
        // Without a list: what the script or the function was given.
        if (!listed && variables_.arguments() != nullptr)
            loop.values = *variables_.arguments();
        const bool noted = !listed && variables_.arguments() == nullptr;
        take_problem();
        loop.counted = !hard_ && std::none_of(loop.values.begin(), loop.values.end(),
                                              [](const std::string& value) {
                                                  return value.find(unknown_text) !=
                                                         std::string::npos;
                                              });
        const bool soft = noted || !command_.problem.empty() || !command_.notes.empty();
        if (loop.counted && follows())
            status = {loop.values.empty() ? Truth::no : Truth::yes, soft, false, {}};
        if (!loop.values.empty() && loop.counted && follows()) {
            const std::string first = loop.values[0];
            loop.values.erase(loop.values.begin());
            variables_.set(loop.variable, {{first}, {}, false}, false, false, false);
        }
    }
    command_ = {};
    started_ = hard_ = false;
    if (peek() == ';')
        next();
    skip_blanks(true);
    loop.place = words_.place();
    loop.line = words_.line();
    flow_.open_loop(std::move(loop), status);
}

// NAME() { ... }, behind the brackets; its body is kept for its calls. False: it has none.
bool ShellReader::read_function(const std::string& name) {
    skip_blanks(true);
    if (!follows() || peek() != '{') {
        command_ = {};
        started_ = hard_ = false;
        return true;
    }
    // The brace that closes it begins a line, as people write it, or ends this one.
    const std::string_view rest = words_.rest();
    const size_t line_end = std::min(rest.find('\n'), rest.size());
    size_t column = words_.place();
    const std::string_view all = words_.text();
    while (column > 0 && all[column - 1] != '\n')
        column--;
    const size_t indent = std::min(all.substr(column).find_first_not_of(" \t"), all.size());
    const std::string closing = "\n" + std::string(all.substr(column, indent)) + "}";
    const std::string_view first_line = trimmed(rest.substr(0, line_end));
    const bool is_whole = first_line.ends_with('}') &&
                          std::count(first_line.begin(), first_line.end(), '{') ==
                              std::count(first_line.begin(), first_line.end(), '}');
    size_t end = is_whole ? rest.rfind('}', line_end) : rest.find(closing);
    if (end != std::string_view::npos && rest[end] == '\n')
        end += closing.size() - 1;
    if (end == std::string_view::npos || end == 0)
        return true;
    if (reach() != Truth::no)
        script_.functions[name] = {std::string(rest.substr(1, end - 1)), words_.line()};
    words_.skip(end + 1);
    command_ = {};
    started_ = hard_ = false;
    return true;
}

// NAME=value, NAME+=value, NAME=(an array).
bool ShellReader::read_assignment() {
    const std::string_view rest = words_.rest();
    const size_t length = shell_name_length(rest);
    if (length == 0)
        return false;
    const std::string name(rest.substr(0, length));
    const bool append = rest.substr(length).starts_with("+=");
    if (!append && !rest.substr(length).starts_with('='))
        return false;
    words_.skip(length + (append ? 2 : 1));
    if (peek() == '(') {
        next();
        read_array(name, append);
        return true;
    }
    // systemd's units: the rest of the line is the command.
    if (name == "ExecStart") {
        while (std::string_view("@-:+!").find(peek()) != std::string::npos && !words_.at_end())
            next();
        return true;
    }
    const std::vector<std::string> fields = words_.read(false);
    take_problem();
    assignments_.push_back({name, fields.empty() ? std::string() : fields[0], append});
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
            problem("`" + std::string(1, c) + "' in an array");
            next();
        } else {
            const std::vector<std::string> fields = words_.read(true);
            take_problem();
            elements.insert(elements.end(), fields.begin(), fields.end());
        }
    }
    if (!words_.at_end())
        next();
    set(name, std::move(elements), true, append);
    notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
    command_ = {};
    started_ = hard_ = false;
    flow_.ended({Truth::yes, false, false, {}});
}

void ShellReader::set(const std::string& name, std::vector<std::string> words, bool array,
                      bool append) {
    note_tests();
    if (reach() == Truth::no) {
        // Options that are not added are not left out without a word.
        if (std::any_of(words.begin(), words.end(),
                        [](const std::string& word) { return is_option(trimmed(word)); }))
            pass_over(name + (append ? "+=" : "=") + shell_text(words));
        return;
    }
    const bool conditional =
        reach() == Truth::unknown &&
        !(chooses_kvm(words) && (append || !variables_.is_set(name)));
    ShellVariables::Value value{std::move(words), command_.problem, !hard_};
    variables_.set(name, std::move(value), array, append, conditional);
}

void ShellReader::assign(const std::string& name, const std::string& value, bool append) {
    set(name, {value}, false, append);
    // systemd's units: Environment="NAME=value"
    const size_t length = shell_name_length(value);
    if (name == "Environment" && length > 0 && length < value.size() && value[length] == '=')
        set(value.substr(0, length), {value.substr(length + 1)}, false, false);
}

}  // namespace tapgate
