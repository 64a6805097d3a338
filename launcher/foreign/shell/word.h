// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reads one word of a shell script: quotes, escapes, variables and commands in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/variables.h"

namespace tapgate {

/// What ends a word outside of quotes.
inline constexpr std::string_view shell_word_ends = " \t\n;&|<>()";

/// What separates words on a line.
inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

class ShellWordReader {
  public:
    /// What `*' and `?' outside of quotes stand for.
    enum class Patterns {
        files,     ///< names of existing files, which are unknown
        plain,     ///< themselves
        compared,  ///< in a pattern to compare with; quoted ones get a backslash
        regular,   ///< the same for a regular expression
    };

    /// `line` is the number of the first line, and `depth` how many words are around this one.
    ShellWordReader(std::string_view text, ShellVariables& variables, unsigned line,
                    unsigned depth = 0)
        : text_(text), variables_(variables), line_(line), depth_(depth) {}

    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    [[nodiscard]] char peek(size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] unsigned line() const { return line_; }
    [[nodiscard]] size_t place() const { return at_; }
    /// Goes on reading at a place(), which is in that line().
    void go_to(size_t place, unsigned line) {
        at_ = place;
        line_ = line;
    }
    char next();
    void skip(size_t bytes);

    /// Reads the word that begins here: none, one or several, since a variable without quotes is
    /// split at its blanks if `splits`.
    std::vector<std::string> read(bool splits);
    /// Reads everything as one word, with its blanks.
    std::string read_all(Patterns patterns = Patterns::plain);
    /// Reads everything as the value of ${NAME:-...}: several words, or one if quoted.
    std::vector<std::string> read_value(bool quoted, bool splits);
    /// Reads the command in $(...), and what comes after it.
    ShellOutput output_of(std::string_view command);
    /// Reads everything as a here-document, in which quotes stay, and so do unknown variables.
    std::string read_document();
    void set_patterns(Patterns patterns) { patterns_ = patterns; }
    /// The next words are the value of that variable; empty if of none.
    void set_assigned(const std::string& name) { assigned_ = name; }

    /// A quoted variable that is unknown becomes unknown_text, since it is one word in any case.
    void mark_unknown(bool marks) { marks_ = marks; }

    /// Which parts of the words since the last take_problem() only a shell knows.
    [[nodiscard]] const ShellProblem& problem() const { return problem_; }
    ShellProblem take_problem() { return std::exchange(problem_, {}); }
    /// The variable that nothing has set, if the word consists of it alone, without quotes; else
    /// empty.
    std::string take_absent() { return std::exchange(absent_, {}); }
    /// What was left out of the words: "$@".
    std::vector<std::string> take_notes();

  private:
    // How deeply words may be nested, which is deeper than in any script.
    static constexpr unsigned deepest = 8;

    void add_problem(const ShellProblem& problem) { problem_.add(problem); }
    void add(char c);
    void add_quoted(std::string_view text);
    [[nodiscard]] std::string separators();
    void add_split(std::string_view text, std::string_view ends);
    void add_value(const ShellVariables::Value& value, bool quoted, bool all);
    void add_all(ShellVariables::Value value, bool quoted, bool star);
    [[nodiscard]] bool closes(char quote) const;
    void read_single_quotes();
    void read_double_quotes();
    void read_ansi_quotes();
    void read_expansion(bool quoted);
    void read_command(bool quoted);
    void add_arguments(char how, bool quoted);
    void add_sum(std::string_view text);
    std::optional<std::string> document_of(std::string_view command);
    static bool is_list(const ShellOutput& output);
    void add_output(std::string_view command, bool quoted);
    void read_braces(bool quoted);
    void read_special(bool quoted);
    struct Parameter;
    std::string_view take_braces(bool quoted);
    ShellVariables::Value value_of(const Parameter& parameter);
    ShellVariables::Value value_in_map(const Parameter& parameter);
    void read_indirect(const Parameter& parameter, bool quoted);
    void read_parameter(const Parameter& parameter, bool quoted);
    ShellVariables::Value referred(const Parameter& parameter, ShellVariables::Value value);
    void add_parameter(const Parameter& parameter, const ShellVariables::Value& value, bool quoted);
    void add_default(std::string_view text, bool quoted);
    bool change(std::vector<std::string>& words, const Parameter& parameter);
    std::optional<std::string> trimmed_by(const std::string& word, std::string_view how);
    std::optional<std::string> replaced_by(const std::string& word, std::string_view how);
    std::optional<long long> sum_of(std::string_view text);
    void take_over(ShellWordReader& inner);
    std::string expanded(std::string_view text, Patterns patterns = Patterns::plain);
    void read_tilde();
    void read_list();
    [[nodiscard]] bool at_word_end() const;
    [[nodiscard]] bool is_behind_name() const;
    void read_part(bool first);

    std::string_view text_;
    ShellVariables& variables_;
    size_t at_ = 0;
    unsigned line_;
    unsigned depth_;
    std::vector<std::string> fields_;
    bool in_field_ = false;
    bool splits_ = true;
    Patterns patterns_ = Patterns::files;
    std::string assigned_;
    size_t begin_ = 0;        // of the current word
    unsigned lists_ = 0;      // how many braces this part is in
    bool had_quote_ = false;  // in the current word
    bool marks_ = false;
    ShellProblem problem_;
    std::vector<std::string> notes_;
    std::string absent_;
};

/// The length in bytes of the `(...)' at the beginning of the text; 0 if it has no end.
size_t length_of_command(std::string_view text);

}  // namespace tapgate
