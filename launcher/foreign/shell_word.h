// SPDX-License-Identifier: GPL-2.0-or-later
//
// One word of a shell script: quotes, escapes, and what stands in for values.
#ifndef TAPGATE_LAUNCHER_FOREIGN_SHELL_WORD_H
#define TAPGATE_LAUNCHER_FOREIGN_SHELL_WORD_H

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell_variables.h"

namespace tapgate {

/// What stands in a word for a text that only the shell which ran it knew: what a command printed,
/// a process's number, a random one. Whoever needs that text cannot go on.
inline constexpr std::string_view unknown_text = "$(...)";

class ShellWordReader {
  public:
    /// `line`: that of the first line.
    ShellWordReader(std::string_view text, ShellVariables& variables, unsigned line)
        : text_(text), variables_(variables), line_(line) {}

    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    [[nodiscard]] char peek(size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] unsigned line() const { return line_; }
    char next();
    void skip(size_t bytes);

    /// The word that begins here, up to its end: none, one or several, since a variable without
    /// quotes is split at its blanks where `splits`.
    std::vector<std::string> read(bool splits);

    /// What only a shell knows in the words read since then; empty: nothing.
    std::string take_problem();
    /// What was left out of them: "$@".
    std::vector<std::string> take_notes();

  private:
    void problem(const std::string& what);
    void add(char c);
    void add_quoted(std::string_view text);
    void add_split(std::string_view text);
    void add_value(const ShellVariables::Value& value, bool quoted, bool all);
    [[nodiscard]] bool closes(char quote) const;
    void read_single_quotes();
    void read_double_quotes();
    void read_ansi_quotes();
    void read_expansion(bool quoted);
    void read_command(bool quoted);
    void read_braces(bool quoted);
    void read_tilde();

    std::string_view text_;
    ShellVariables& variables_;
    size_t at_ = 0;
    unsigned line_;
    std::vector<std::string> fields_;
    bool in_field_ = false;
    bool splits_ = true;
    std::string problem_;
    std::vector<std::string> notes_;
};

}  // namespace tapgate

#endif
