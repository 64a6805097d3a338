// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell_script.h"

#include <algorithm>
#include <array>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell_variables.h"
#include "launcher/foreign/shell_word.h"
#include "launcher/foreign/words.h"

namespace tapgate {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

class ScriptReader {
  public:
    /// `line`: that of the first line; `nesting`: of how many scripts it is a word.
    ScriptReader(std::string_view text, ShellVariables& variables, unsigned line, unsigned nesting)
        : variables_(variables), words_(text, variables_, line), nesting_(nesting) {}

    std::vector<ShellCommand> read() {
        while (!words_.at_end())
            read_part();
        finish();
        return std::move(commands_);
    }

  private:
    [[nodiscard]] char peek(size_t ahead = 0) const { return words_.peek(ahead); }
    char next() { return words_.next(); }

    void problem(const std::string& what) {
        if (command_.problem.empty())
            command_.problem = what + " in line " + std::to_string(words_.line());
    }
    // What a word could not say.
    void take_problem() {
        if (const std::string what = words_.take_problem(); !what.empty())
            problem(what);
        for (std::string& note : words_.take_notes())
            command_.notes.push_back(std::move(note));
    }

    // A word, or what stands between words.
    void read_part() {
        const char c = peek();
        if (is_blank(c)) {
            next();
        } else if (c == '\\' && peek(1) == '\n') {
            next();
            next();
        } else if (c == '\n') {
            finish();
            conditional_ = false;
            if (depth_ == 0)
                tested_.clear();
            next();
            skip_documents();
        } else if (c == ';' || c == '(' || c == ')') {
            finish();
            conditional_ = false;
            next();
        } else if (c == '#') {
            skip_line();
        } else if (c == '<' || c == '>' || (c == '&' && peek(1) == '>')) {
            read_redirection("");
        } else if (c == '&') {
            next();
            command_.background = peek() != '&';
            if (!command_.background)
                next();
            const bool condition = !command_.background;
            finish();
            conditional_ = condition;
        } else if (c == '|') {
            read_pipe();
        } else {
            read_word();
        }
    }

    void skip_line() {
        while (!words_.at_end() && peek() != '\n')
            next();
    }

    // `| tee log' shows what QEMU says, and writes it down. Any other pipe is a part of the
    // command.
    void read_pipe() {
        next();
        if (peek() == '|') {
            next();
            finish();
            conditional_ = true;
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

    void read_redirection(std::string redirection) {
        const bool document = peek() == '<' && peek(1) == '<';
        if (document)
            problem("a here-document (`<<')");
        while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '|')
            redirection += next();
        if (document && peek() == '-')
            next();
        while (is_blank(peek()))
            next();
        begin_word();
        const std::vector<std::string> fields = words_.read(false);
        take_problem();
        for (const std::string& field : fields)
            redirection += field;
        if (document && redirection.starts_with("<<") && !redirection.starts_with("<<<") &&
            !fields.empty())
            documents_.push_back(fields[0]);
        command_.redirections.push_back(redirection);
    }

    // The lines of here-documents are no commands.
    void skip_documents() {
        for (const std::string& end : documents_) {
            while (!words_.at_end()) {
                const std::string_view rest = words_.rest();
                const std::string_view line = rest.substr(0, rest.find('\n'));
                const bool last = trimmed(line) == end;
                skip_line();
                if (!words_.at_end())
                    next();
                if (last)
                    break;
            }
        }
        documents_.clear();
    }

    void begin_word() {
        if (!started_) {
            command_.line = words_.line();
            written_ = words_.rest();
        }
        started_ = true;
    }

    void read_word() {
        begin_word();
        if (command_.words.empty() && read_assignment())
            return;
        const std::string_view before = words_.rest();
        const std::vector<std::string> fields = words_.read(true);
        take_problem();
        const std::string_view written = before.substr(0, before.size() - words_.rest().size());
        if ((peek() == '<' || peek() == '>') &&
            std::all_of(written.begin(), written.end(),
                        [](char c) { return c >= '0' && c <= '9'; })) {
            read_redirection(std::string(written));
            return;
        }
        // Words of the shell's own begin a command of their own.
        constexpr std::array<std::string_view, 7> openers = {"if",     "while", "until", "for",
                                                             "select", "case",  "elif"};
        constexpr std::array<std::string_view, 3> closers = {"fi", "done", "esac"};
        constexpr std::array<std::string_view, 4> separators = {"then", "else", "do", "{"};
        if (command_.words.empty() && is_one_of(written, separators)) {
            if (written == "else")
                tested_.clear();
            finish();
            return;
        }
        if (command_.words.empty() && is_one_of(written, openers) && written != "elif")
            depth_++;
        if (command_.words.empty() && is_one_of(written, closers) && depth_ > 0)
            depth_--;
        command_.words.insert(command_.words.end(), fields.begin(), fields.end());
    }

    // NAME=value, NAME+=value, NAME=(an array).
    bool read_assignment() {
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
        command_.environment.emplace_back(name, assignments_.back().value);
        return true;
    }

    void read_array(const std::string& name, bool append) {
        std::vector<std::string> elements;
        while (!words_.at_end() && peek() != ')') {
            const char c = peek();
            if (is_blank(c) || c == '\n') {
                next();
            } else if (c == '\\' && peek(1) == '\n') {
                next();
                next();
            } else if (c == '#') {
                skip_line();
            } else if (std::string_view(";&|<>(").find(c) != std::string::npos) {
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
        command_ = {};
        started_ = false;
    }

    void set(const std::string& name, std::vector<std::string> words, bool array, bool append) {
        const bool conditional = (conditional_ || depth_ > 0) && !is_default_of(name) &&
                                 !(chooses_kvm(words) && (append || !variables_.is_set(name)));
        variables_.set(name, std::move(words), array, append, command_.problem, conditional);
    }

    // Behind `[ -z "$NAME" ]', which is true: nothing has set it so far.
    [[nodiscard]] bool is_default_of(const std::string& name) const {
        return !variables_.is_set(name) && (tested_.find("$" + name) != std::string::npos ||
                                            tested_.find("${" + name) != std::string::npos);
    }

    // Whether there is KVM is asked again at each start.
    static bool chooses_kvm(const std::vector<std::string>& words) {
        constexpr std::array<std::string_view, 6> kvm = {
            "-enable-kvm", "--enable-kvm", "-accel", "kvm", "-machine", "accel=kvm"};
        return !words.empty() && std::all_of(words.begin(), words.end(), [&](const auto& word) {
            return is_one_of(std::string_view(trimmed(word)), kvm);
        });
    }

    // Keeps what `if [ -z ... ]' and `[ -z ... ] &&' ask.
    void note_test() {
        const std::vector<std::string>& words = command_.words;
        const size_t at = !words.empty() && words[0] == "if" ? 1 : 0;
        constexpr std::array<std::string_view, 3> tests = {"[", "[[", "test"};
        if (words.size() > at + 1 && is_one_of(words[at], tests) && words[at + 1] == "-z")
            tested_ = written_.substr(0, written_.size() - words_.rest().size());
    }

    void finish() {
        note_test();
        constexpr std::array<std::string_view, 5> setters = {"export", "local", "readonly",
                                                             "declare", "typeset"};
        if (!command_.words.empty() && is_one_of(command_.words[0], setters)) {
            for (const std::string& word : command_.words) {
                const size_t length = shell_name_length(word);
                if (length > 0 && length < word.size() && word[length] == '=')
                    set(word.substr(0, length), {word.substr(length + 1)}, false, false);
            }
        } else if (command_.words.empty()) {
            for (const Assignment& one : assignments_)
                assign(one);
            notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
        } else if (command_.words[0] == "eval" && command_.words.size() == 2) {
            // A second reading; of plain words it changes nothing.
            const std::string text = command_.words[1];
            if (text.find_first_of("$`'\"\\*?") != std::string::npos)
                problem("`eval'");
            command_.words = {};
            for (size_t at = text.find_first_not_of(" \t\n"); at < text.size();
                 at = text.find_first_not_of(" \t\n", at)) {
                const size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
                command_.words.push_back(text.substr(at, end - at));
                at = end;
            }
            command_.directory = directory_;
            commands_.push_back(std::move(command_));
        } else if (command_.words[0] == "cd" && command_.words.size() == 2) {
            const bool known = command_.problem.empty() &&
                               command_.words[1].find(unknown_text) == std::string::npos;
            directory_ = known ? command_.words[1] : "";
        } else {
            read_nested();
            command_.directory = directory_;
            command_.notes.insert(command_.notes.begin(), notes_.begin(), notes_.end());
            commands_.push_back(std::move(command_));
        }
        command_ = {};
        assignments_.clear();
        started_ = false;
    }

    // What `bash -c TEXT' and `alias NAME=TEXT' have in one word is a script.
    void read_nested() {
        constexpr std::array<std::string_view, 8> shells = {"ash", "bash", "dash",   "runuser",
                                                            "sh",  "su",   "script", "zsh"};
        bool shell = false;
        const std::vector<std::string>& words = command_.words;
        for (size_t i = 0; i < words.size(); i++) {
            if (words[0] == "alias" && i > 0)
                read_nested(words[i].substr(words[i].find('=') + 1));
            else if (shell && i + 1 < words.size() && (words[i] == "-c" || words[i] == "-lc"))
                read_nested(words[i + 1]);
            shell = shell || is_one_of(last_part(words[i]), shells);
        }
    }

    void read_nested(const std::string& text) {
        constexpr unsigned deepest = 3;
        if (nesting_ == deepest)
            return;
        std::vector<ShellCommand> commands =
            ScriptReader(text, variables_, command_.line, nesting_ + 1).read();
        for (ShellCommand& command : commands) {
            if (command.directory.empty())
                command.directory = directory_;
            commands_.push_back(std::move(command));
        }
    }

    struct Assignment {
        std::string name;
        std::string value;
        bool append;
    };

    void assign(const Assignment& one) {
        set(one.name, {one.value}, false, one.append);
        // systemd's units: Environment="NAME=value"
        const size_t length = shell_name_length(one.value);
        if (one.name == "Environment" && length > 0 && length < one.value.size() &&
            one.value[length] == '=')
            set(one.value.substr(0, length), {one.value.substr(length + 1)}, false, false);
    }

    ShellVariables& variables_;
    ShellWordReader words_;
    unsigned nesting_;
    std::vector<ShellCommand> commands_;
    ShellCommand command_;
    std::vector<Assignment> assignments_;
    std::vector<std::string> documents_;  // the ends of here-documents of this line
    bool started_ = false;                // command_ has a word
    bool conditional_ = false;            // behind `&&' or `||'
    unsigned depth_ = 0;                  // in `if', `for' and the like
    std::string directory_;
    std::vector<std::string> notes_;  // of variables, for the commands that follow
    std::string_view written_;        // from the command's beginning on
    std::string tested_;  // a test that a variable is not set, which what follows is for
};

// A line of ps(1) without the columns in front of QEMU's name: the last of them is a time.
std::string_view without_columns(std::string_view line) {
    std::string_view before;
    bool has_number = false;
    for (size_t at = line.find_first_not_of(" \t"); at < line.size();
         at = line.find_first_not_of(" \t", at)) {
        const size_t end = std::min(line.find_first_of(" \t", at), line.size());
        const std::string_view word = line.substr(at, end - at);
        const std::string_view name = last_part(word);
        if (name.starts_with("qemu-system-") || name == "qemu-kvm" || name == "kvm" ||
            name == "qemu") {
            const size_t colon = before.find(':');
            const bool time = colon != std::string_view::npos && colon > 0 &&
                              before.find_first_not_of("0123456789:.-") == std::string_view::npos;
            return has_number && time ? line.substr(at) : line;
        }
        has_number = has_number || word.find_first_not_of("0123456789") == std::string_view::npos;
        before = word;
        at = end;
    }
    return line;
}

}  // namespace

std::vector<ShellCommand> read_shell_script(
    std::string_view text, const std::function<const char*(const std::string&)>& lookup) {
    if (text.find('\0') != std::string_view::npos)
        throw LauncherError("a NUL byte in it: no script has one");
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark))
        text.remove_prefix(byte_order_mark.size());
    // Line ends of Windows would break continued lines.
    std::string unix_text;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n')
            unix_text += text[i];
    }
    std::string commands;
    for (std::string_view rest = unix_text; !rest.empty();) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        commands += without_columns(rest.substr(0, end));
        commands += end < rest.size() ? "\n" : "";
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    ShellVariables variables(lookup);
    return ScriptReader(commands, variables, 1, 0).read();
}

}  // namespace tapgate
