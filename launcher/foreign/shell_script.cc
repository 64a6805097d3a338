// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell_script.h"

#include <algorithm>
#include <array>
#include <map>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// How many bytes at the beginning of `text` are a variable's name.
size_t name_length(std::string_view text) {
    if (text.empty() || !is_name_start(text[0]))
        return 0;
    const auto* const end = std::find_if_not(
        text.begin(), text.end(), [](char c) { return is_name_start(c) || is_digit(c); });
    return static_cast<size_t>(end - text.begin());
}

class ScriptReader {
  public:
    ScriptReader(std::string_view text,
                 const std::function<const char*(const std::string&)>& lookup)
        : text_(text), lookup_(lookup) {}

    std::vector<ShellCommand> read() {
        while (at_ < text_.size())
            read_part();
        finish();
        return std::move(commands_);
    }

  private:
    struct Variable {
        std::string value;
        std::string problem;
    };

    [[nodiscard]] char peek(size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    char next() {
        const char c = text_[at_++];
        line_ += c == '\n' ? 1 : 0;
        return c;
    }
    void problem(const std::string& what) {
        if (command_.problem.empty())
            command_.problem = what + " in line " + std::to_string(line_);
    }

    // A word, or what stands between words.
    void read_part() {
        const char c = peek();
        if (is_blank(c)) {
            next();
        } else if (c == '\\' && peek(1) == '\n') {
            next();
            next();
        } else if (c == '\n' || c == ';' || c == '(' || c == ')') {
            finish();
            next();
        } else if (c == '#') {
            while (at_ < text_.size() && peek() != '\n')
                next();
        } else if (c == '<' || c == '>' || (c == '&' && peek(1) == '>')) {
            read_redirection("");
        } else if (c == '&') {
            next();
            command_.background = peek() != '&';
            if (!command_.background)
                next();
            finish();
        } else if (c == '|') {
            read_pipe();
        } else {
            read_word();
        }
    }

    void read_pipe() {
        next();
        if (peek() == '|') {
            next();
            finish();
            return;
        }
        problem("a pipe (`|')");
        finish();
        problem("a pipe (`|')");
    }

    void read_redirection(std::string redirection) {
        if (peek() == '<' && peek(1) == '<')
            problem("a here-document (`<<')");
        while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '|')
            redirection += next();
        while (is_blank(peek()))
            next();
        begin_word();
        read_characters();
        for (const std::string& field : fields_)
            redirection += field;
        command_.redirections.push_back(redirection);
    }

    void begin_word() {
        fields_.clear();
        in_field_ = false;
        if (!started_) {
            command_.line = line_;
            started_ = true;
        }
    }

    void read_word() {
        begin_word();
        const std::string_view rest = text_.substr(at_);
        const size_t length = name_length(rest);
        const size_t start = at_;
        if (command_.words.empty() && length > 0 && rest.substr(length).starts_with('=')) {
            at_ += length + 1;
            splits_ = false;
            read_characters();
            splits_ = true;
            command_.environment.emplace_back(rest.substr(0, length),
                                              fields_.empty() ? std::string() : fields_[0]);
            return;
        }
        read_characters();
        const std::string_view written = text_.substr(start, at_ - start);
        if ((peek() == '<' || peek() == '>') &&
            std::all_of(written.begin(), written.end(), is_digit)) {
            read_redirection(std::string(written));
            return;
        }
        command_.words.insert(command_.words.end(), fields_.begin(), fields_.end());
    }

    void add(char c) {
        if (!in_field_)
            fields_.emplace_back();
        in_field_ = true;
        fields_.back() += c;
    }
    void add_quoted(std::string_view text) {
        if (!in_field_)
            fields_.emplace_back();
        in_field_ = true;
        fields_.back() += text;
    }
    // As the shell does where there are no quotes: blanks in a variable end the word.
    void add_split(std::string_view text) {
        for (const char c : text) {
            if (splits_ && (is_blank(c) || c == '\n'))
                in_field_ = false;
            else
                add(c);
        }
    }

    // Up to the end of the word.
    void read_characters() {
        constexpr std::string_view ends = " \t\n;&|<>()";
        bool first = true;
        while (at_ < text_.size() && ends.find(peek()) == std::string_view::npos) {
            const char c = peek();
            if (c == '\\') {
                next();
                if (at_ == text_.size())
                    break;
                if (const char escaped = next(); escaped != '\n')
                    add_quoted({&escaped, 1});
            } else if (c == '\'') {
                read_single_quotes();
            } else if (c == '"') {
                read_double_quotes();
            } else if (c == '$' || c == '`') {
                read_expansion(false);
            } else if (c == '~' && first &&
                       (peek(1) == '/' || ends.find(peek(1)) != std::string_view::npos)) {
                next();
                add_quoted(value_of("HOME", "~"));
            } else {
                if (c == '*' || c == '?')
                    problem("a pattern of file names (`" + std::string(1, c) + "')");
                add(next());
            }
            first = false;
        }
    }

    // A quote that is open at the line's end is taken for an apostrophe in a text that is no
    // script, as in a log, and must not swallow the lines below.
    bool unclosed() {
        if (at_ < text_.size() && peek() != '\n')
            return false;
        problem("a quote that is not closed");
        return true;
    }

    void read_single_quotes() {
        next();
        add_quoted("");
        while (!unclosed()) {
            const char c = next();
            if (c == '\'')
                return;
            add(c);
        }
    }

    void read_double_quotes() {
        next();
        add_quoted("");
        while (!unclosed()) {
            const char c = peek();
            if (c == '$' || c == '`') {
                read_expansion(true);
                continue;
            }
            next();
            if (c == '"')
                return;
            constexpr std::string_view escapable = "$`\"\\\n";
            if (c == '\\' && at_ < text_.size() &&
                escapable.find(peek()) != std::string_view::npos) {
                if (const char escaped = next(); escaped != '\n')
                    add(escaped);
            } else {
                add(c);
            }
        }
    }

    // `$' or a backquote.
    void read_expansion(bool quoted) {
        const char c = next();
        if (c == '`') {
            problem("the output of a command (`...`)");
            while (at_ < text_.size() && peek() != '`' && peek() != '\n')
                next();
            if (peek() == '`')
                next();
            return;
        }
        if (peek() == '(') {
            problem("the output of a command ($(...))");
            unsigned depth = 0;
            do {
                const char inner = next();
                depth += inner == '(' ? 1U : 0U;
                depth -= inner == ')' ? 1U : 0U;
            } while (depth > 0 && at_ < text_.size() && peek() != '\n');
            return;
        }
        std::string value;
        if (peek() == '{') {
            value = read_braces();
        } else if (const size_t length = name_length(text_.substr(at_)); length > 0) {
            value = value_of(std::string(text_.substr(at_, length)), "");
            at_ += length;
        } else {
            constexpr std::string_view special = "0123456789@*#?$!-'\"";
            if (peek() != '\0' && special.find(peek()) != std::string_view::npos)
                problem("`$" + std::string(1, peek()) +
                        "', which only the shell that ran it knows");
            else
                add('$');
            return;
        }
        if (quoted)
            add_quoted(value);
        else
            add_split(value);
    }

    // ${NAME} or ${NAME:-text}; at the brace.
    std::string read_braces() {
        next();
        const size_t start = at_;
        while (at_ < text_.size() && peek() != '}' && peek() != '\n')
            next();
        const std::string_view inside = text_.substr(start, at_ - start);
        if (peek() == '}')
            next();
        const size_t length = name_length(inside);
        const std::string name(inside.substr(0, length));
        std::string_view rest = inside.substr(length);
        if (length > 0 && rest.empty())
            return value_of(name, "");
        if (length > 0 && rest.starts_with(":-") &&
            rest.find_first_of("$`'\"\\") == std::string_view::npos) {
            const auto known = variables_.find(name);
            if (known == variables_.end() || known->second.value.empty())
                return std::string(rest.substr(2));
            return value_of(name, "");
        }
        problem("`${" + shown(inside) + "}'");
        return {};
    }

    std::string value_of(const std::string& name, std::string_view written) {
        if (const auto known = variables_.find(name); known != variables_.end()) {
            if (!known->second.problem.empty())
                problem("the variable " + name + ", which is " + known->second.problem + ",");
            return known->second.value;
        }
        const char* const value = name == "HOME" || name == "USER" ? lookup_(name) : nullptr;
        if (value == nullptr)
            problem(written.empty() ? "the variable " + name + ", which is not set in the script,"
                                    : "`" + std::string(written) + "'");
        return value == nullptr ? "" : value;
    }

    void set_variable(const std::string& name, const std::string& value) {
        const bool again = variables_.contains(name);
        Variable& variable = variables_[name];
        variable.value = value;
        if (!command_.problem.empty())
            variable.problem = "made of " + command_.problem;
        else if (again)
            variable.problem = "set more than once";
    }

    void finish() {
        constexpr std::array<std::string_view, 4> setters = {"export", "local", "readonly",
                                                             "declare"};
        if (!command_.words.empty() &&
            std::find(setters.begin(), setters.end(), command_.words[0]) != setters.end()) {
            for (const std::string& word : command_.words) {
                const size_t length = name_length(word);
                if (length > 0 && length < word.size() && word[length] == '=')
                    set_variable(word.substr(0, length), word.substr(length + 1));
            }
        } else if (command_.words.empty()) {
            for (const auto& [name, value] : command_.environment)
                set_variable(name, value);
        } else if (command_.words[0] == "cd" && command_.words.size() == 2) {
            directory_ = command_.problem.empty() ? command_.words[1] : "";
        } else {
            command_.directory = directory_;
            commands_.push_back(std::move(command_));
        }
        command_ = {};
        started_ = false;
    }

    std::string_view text_;
    const std::function<const char*(const std::string&)>& lookup_;
    size_t at_ = 0;
    unsigned line_ = 1;
    std::vector<ShellCommand> commands_;
    ShellCommand command_;
    bool started_ = false;  // command_ has a word
    std::vector<std::string> fields_;
    bool in_field_ = false;
    bool splits_ = true;
    std::map<std::string, Variable> variables_;
    std::string directory_;
};

}  // namespace

std::vector<ShellCommand> read_shell_script(
    std::string_view text, const std::function<const char*(const std::string&)>& lookup) {
    // Line ends of Windows would break continued lines.
    std::string unix_text;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n')
            unix_text += text[i];
    }
    return ScriptReader(unix_text, lookup).read();
}

}  // namespace tapgate
