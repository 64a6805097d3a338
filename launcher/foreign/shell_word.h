// SPDX-License-Identifier: GPL-2.0-or-later
//
// One word of a shell script: quotes, escapes, and what stands in for values.
#ifndef TAPGATE_LAUNCHER_FOREIGN_SHELL_WORD_H
#define TAPGATE_LAUNCHER_FOREIGN_SHELL_WORD_H

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell_output.h"
#include "launcher/foreign/shell_variables.h"

namespace tapgate {

class ShellWordReader {
  public:
    /// `line`: that of the first line. `depth`: in how many words of words it is.
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
    /// Reads on at that place(), which is in that line().
    void go_to(size_t place, unsigned line) {
        at_ = place;
        line_ = line;
    }
    char next();
    void skip(size_t bytes);

    /// The word that begins here, up to its end: none, one or several, since a variable without
    /// quotes is split at its blanks where `splits`.
    std::vector<std::string> read(bool splits);
    /// All that is there, blanks as well, as one word: a pattern, or a value by default.
    std::string read_all();
    /// All that is there as a here-document: quotes stay, and so do variables that nobody knows.
    std::string read_document();
    /// `*' and `?' are for a comparison, and for no files.
    void allow_patterns(bool allowed) { patterns_ = allowed; }

    /// In quotes, a variable that nobody knows becomes unknown_text: it is one word, whatever it
    /// is.
    void mark_unknown(bool marks) { marks_ = marks; }

    /// Another problem than arguments and the environment?
    [[nodiscard]] bool has_hard_problem() const { return hard_; }
    /// What only a shell knows in the words read since then; empty: nothing.
    std::string take_problem();
    /// What was left out of them: "$@".
    std::vector<std::string> take_notes();

  private:
    void problem(const std::string& what, bool soft = false);
    void add(char c);
    void add_quoted(std::string_view text);
    void add_split(std::string_view text);
    void add_value(const ShellVariables::Value& value, bool quoted, bool all);
    void add_arguments(size_t first, bool quoted);
    [[nodiscard]] bool closes(char quote) const;
    void read_single_quotes();
    void read_double_quotes();
    void read_ansi_quotes();
    void read_expansion(bool quoted);
    void read_command(bool quoted);
    ShellOutput output_of(std::string_view command);
    void add_output(std::string_view command, bool quoted);
    void read_braces(bool quoted);
    void read_special(bool quoted);
    void add_default(std::string_view text, bool quoted);
    bool add_trimmed(const std::string& name, std::string_view how, bool quoted);
    std::string expanded(std::string_view text);
    void read_tilde();
    void read_part(bool first);

    std::string_view text_;
    ShellVariables& variables_;
    size_t at_ = 0;
    unsigned line_;
    unsigned depth_;
    std::vector<std::string> fields_;
    bool in_field_ = false;
    bool splits_ = true;
    bool patterns_ = false;
    bool had_quote_ = false;  // in this word
    bool marks_ = false;
    std::string problem_;
    bool hard_ = false;
    std::vector<std::string> notes_;
};

}  // namespace tapgate

#endif
