// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/body.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/word.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// Goes through a text like a shell that only looks for brackets: by words, skipping quotes,
// comments and here-documents.
class Body {
  public:
    explicit Body(std::string_view text) : text_(text) {}

    size_t length() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == ' ' || c == '\t')
                at_++;
            else if (c == '\n')
                end_line();
            else if (c == '#')
                at_ = std::min(text_.find('\n', at_), text_.size());
            else if (text_.substr(at_).starts_with("<<"))
                take_document();
            else if (shell_word_ends.find(c) != std::string_view::npos)
                take_operator(c);
            else
                take_word();
            if (blocks_ == 0 && brackets_ == 0)
                return at_;
        }
        return 0;
    }

  private:
    void take_operator(char c) {
        at_++;
        // After a pattern of `case', there is a bracket that nothing has opened.
        const bool pattern = c == ')' && !choices_.empty() && choices_.back() == brackets_;
        brackets_ += c == '(' ? 1U : 0U;
        brackets_ -= c == ')' && !pattern && brackets_ > 0 ? 1U : 0U;
        begins_ = c != '<' && c != '>';
    }

    void take_word() {
        const size_t begin = at_;
        bool plain = true;
        while (at_ < text_.size() && shell_word_ends.find(text_[at_]) == std::string_view::npos)
            plain = take_part() && plain;
        const std::string_view word = text_.substr(begin, at_ - begin);
        const bool first = std::exchange(begins_, false);
        if (names_)
            begins_ = true;
        names_ = first && word == "function";
        if (!first || !plain)
            return;
        constexpr std::array<std::string_view, 14> keywords = {
            "{",  "}",  "!",    "if",   "then",  "elif",  "else",
            "fi", "do", "done", "esac", "while", "until", "time"};
        begins_ = is_one_of(word, keywords);
        blocks_ += word == "{" ? 1U : 0U;
        blocks_ -= word == "}" && blocks_ > 0 ? 1U : 0U;
        if (word == "case")
            choices_.push_back(brackets_);
        else if (word == "esac" && !choices_.empty())
            choices_.pop_back();
    }

    // Takes a character, or something quoted; returns whether it is a plain character.
    bool take_part() {
        const std::string_view rest = text_.substr(at_);
        if (rest[0] == '\\')
            skip(2);
        else if (rest[0] == '\'')
            take_quoted(rest.find('\'', 1));
        else if (rest.starts_with("$'"))
            take_escaped('\'', 2);
        else if (rest[0] == '`')
            take_escaped('`', 1);
        else if (rest[0] == '"')
            take_double_quotes();
        else if (rest.starts_with("$("))
            skip(std::max<size_t>(1 + length_of_command(rest.substr(1)), 2));
        else if (rest.starts_with("${"))
            take_braces(false);
        else
            return skip(1);
        return false;
    }

    bool skip(size_t bytes) {
        at_ = std::min(at_ + bytes, text_.size());
        return true;
    }

    void take_quoted(size_t end) { skip(end == std::string_view::npos ? text_.size() : end + 1); }

    // Up to that quote; the opening one has `begin' bytes.
    void take_escaped(char quote, size_t begin) {
        skip(begin);
        while (at_ < text_.size() && text_[at_] != quote)
            skip(text_[at_] == '\\' ? 2 : 1);
        skip(1);
    }

    void take_double_quotes() {
        skip(1);
        while (at_ < text_.size() && text_[at_] != '"') {
            const std::string_view rest = text_.substr(at_);
            const size_t command = rest.starts_with("$(") ? length_of_command(rest.substr(1)) : 0;
            if (rest.starts_with("${"))
                take_braces(true);
            else
                skip(command > 0 ? command + 1 : rest[0] == '\\' ? 2 : 1);
        }
        skip(1);
    }

    // ${...}, on one line.
    void take_braces(bool quoted) {
        unsigned depth = 0;
        char quote = '\0';
        for (; at_ < text_.size() && text_[at_] != '\n'; skip(1)) {
            const char c = text_[at_];
            if (c == '\\')
                skip(1);
            else if (quote != '\0')
                quote = c == quote ? '\0' : quote;
            else if (c == '"' || (c == '\'' && !quoted))
                quote = c;
            else if (c == '{')
                depth++;
            else if (c == '}' && --depth == 0)
                break;
        }
        skip(1);
    }

    // <<END, <<-END; `<<<' is followed by a word.
    void take_document() {
        const bool text = text_.substr(at_).starts_with("<<<");
        skip(text ? 3 : 2);
        const bool without_tabs = !text && at_ < text_.size() && text_[at_] == '-';
        skip(without_tabs ? 1 : 0);
        at_ = std::min(text_.find_first_not_of(" \t", at_), text_.size());
        const size_t begin = at_;
        while (at_ < text_.size() && shell_word_ends.find(text_[at_]) == std::string_view::npos)
            take_part();
        std::string end(text_.substr(begin, at_ - begin));
        std::erase_if(end, [](char c) { return c == '\'' || c == '"' || c == '\\'; });
        if (!text)
            documents_.emplace_back(std::move(end), without_tabs);
    }

    // After the line come its here-documents.
    void end_line() {
        at_++;
        begins_ = true;
        for (const auto& [end, without_tabs] : std::exchange(documents_, {})) {
            for (bool last = false; !last && at_ < text_.size();) {
                const size_t line_end = std::min(text_.find('\n', at_), text_.size());
                std::string_view line = text_.substr(at_, line_end - at_);
                if (without_tabs)
                    line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
                last = line == end;
                at_ = std::min(line_end + 1, text_.size());
            }
        }
    }

    std::string_view text_;
    size_t at_ = 0;
    bool begins_ = true;  // a command begins here, so that a keyword counts
    bool names_ = false;  // after `function'
    unsigned blocks_ = 0;
    unsigned brackets_ = 0;
    std::vector<unsigned> choices_;  // for each `case', the brackets around it
    std::vector<std::pair<std::string, bool>> documents_;
};

}  // namespace

size_t length_of_body(std::string_view text) {
    return Body(text).length();
}

}  // namespace tapgate
