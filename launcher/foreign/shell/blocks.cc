// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: `if', `case', `for', functions, and the patterns of `case' and `=~'.
#include <algorithm>
#include <array>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/shell/test.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// Does the word have braces that stand for unknown words, such as {01..09}?
bool has_range(const std::string& word) {
    return word.find('{') != std::string::npos && word.find("..") != std::string::npos;
}

std::string_view word_at(std::string_view text) {
    return text.substr(0, text.find_first_of(" \t\n;&|<>()\"'$`\\="));
}

// The keyword that the text begins with; empty if it begins with none.
std::string_view keyword_at(std::string_view text) {
    constexpr std::array<std::string_view, 16> keywords = {
        "if", "then", "elif",   "else", "fi",   "while", "until", "for",
        "do", "done", "select", "case", "esac", "{",     "}",     "function"};
    const std::string_view word = word_at(text);
    // A longer word is something else: if=virtio.
    const char behind = word.size() < text.size() ? text[word.size()] : '\n';
    const bool ends = std::string_view(" \t\n;&|<>()").find(behind) != std::string_view::npos;
    return ends && is_one_of(word, keywords) ? word : std::string_view();
}

}  // namespace

// Reads keywords, which can come where a command begins.
bool ShellReader::read_keyword() {
    if (word_at(words_.rest()) == "!") {
        words_.skip(1);
        inverted_ = !inverted_;
        return true;
    }
    const std::string_view keyword = keyword_at(words_.rest());
    if (keyword.empty())
        return false;
    finish();
    drop_command();
    words_.skip(keyword.size());
    constexpr std::array<std::string_view, 7> openers = {"if",     "while", "until", "for",
                                                         "select", "case",  "{"};
    if (is_one_of(keyword, openers))
        open_block(keyword);
    else if (keyword == "function")
        read_named_function();
    else
        go_on_in_block(keyword);
    return true;
}

void ShellReader::open_block(std::string_view keyword) {
    begin_element();
    const bool inverted = std::exchange(inverted_, false);
    if (keyword == "if")
        flow_.open(ShellFlow::Kind::condition);
    else if (keyword == "while" || keyword == "until")
        open_tested_loop(keyword == "until");
    else if (keyword == "for" || keyword == "select")
        read_for(keyword == "select");
    else if (keyword == "case")
        read_case();
    else
        flow_.open(ShellFlow::Kind::group, inverted);
}

// At a keyword that goes on with a block, or ends it.
void ShellReader::go_on_in_block(std::string_view keyword) {
    if (keyword == "then")
        flow_.then();
    else if (keyword == "elif")
        flow_.otherwise_if();
    else if (keyword == "else")
        flow_.otherwise();
    else if (keyword == "fi")
        flow_.close(ShellFlow::Kind::condition);
    else if (keyword == "do")
        flow_.enter_loop();
    else if (keyword == "done" || (keyword == "}" && flow_.is_in(ShellFlow::Kind::loop)))
        end_loop();
    else if (keyword == "esac")
        flow_.close(ShellFlow::Kind::choice);
    else if (keyword == "}")
        flow_.close(ShellFlow::Kind::group);
}

// while TEST, until TEST
void ShellReader::open_tested_loop(bool inverted) {
    ShellLoop loop;
    loop.tested = true;
    loop.place = words_.place();
    loop.line = words_.line();
    loop.inverted = inverted;
    loop.arguments = count_of_arguments();
    flow_.open_loop(std::move(loop), {});
}

// function NAME, function NAME()
void ShellReader::read_named_function() {
    skip_blanks(false);
    const std::vector<std::string> name = words_.read(false);
    skip_blanks(false);
    if (words_.rest().starts_with("()"))
        words_.skip(2);
    if (!name.empty())
        read_function(name[0]);
}

// case WORD in
void ShellReader::read_case() {
    skip_blanks(false);
    begin_word();
    const std::string_view before = words_.rest();
    const std::vector<std::string> fields = words_.read(false);
    const std::string written(before.substr(0, before.size() - words_.rest().size()));
    take_problem();
    const std::string value = joined(fields);
    const bool known = !command_.problem.is_hard() && !is_unknown(value);
    const auto soft = static_cast<bool>(command_.problem);
    drop_command();
    skip_blanks(true);
    if (words_.rest().starts_with("in"))
        words_.skip(2);
    flow_.open_choice(shown(written), known, soft);
    flow_.compared() = value;
    if (!follows())
        flow_.begin_branch(Truth::unknown, {});
}

// Reads the patterns before a branch, up to the bracket.
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
        const std::string expanded = reader.read_all(ShellWordReader::Patterns::compared);
        const Truth one =
            reader.take_problem() ? Truth::unknown : matches_pattern(expanded, flow_.compared());
        matches = std::max(matches, one);
    }
    flow_.begin_branch(matches, shown(all));
}

// Reads the regular expression after `=~', up to a blank outside of brackets and quotes.
void ShellReader::read_regular() {
    const std::string_view rest = words_.rest();
    int depth = 0;
    char quote = '\0';
    size_t end = 0;
    for (; end < rest.size() && rest[end] != '\n'; end++) {
        const char c = rest[end];
        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == '\\')
            end++;
        else if ((c == ' ' || c == '\t') && depth <= 0)
            break;
        else
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    end = std::min(end, rest.size());
    ShellWordReader reader(rest.substr(0, end), variables_, words_.line());
    command_.words.push_back(reader.read_all(ShellWordReader::Patterns::regular));
    add_problem(reader.take_problem());
    words_.skip(end);
}

// ((SUM)), which sets a variable or is a condition.
void ShellReader::read_sum() {
    begin_word();
    const std::string_view rest = words_.rest();
    const std::string written(rest.substr(0, rest.find("))") + 2));
    words_.skip(written.size());
    ShellStatus status;
    if (const auto holds = apply_sum(std::string_view(written).substr(2, written.size() - 4)))
        status.truth = *holds ? Truth::yes : Truth::no;
    status.soft = static_cast<bool>(command_.problem);
    status.text =
        (inverted_ ? "! " : "") + shown(written) + " (line " + std::to_string(command_.line) + ")";
    if (!follows())
        status.truth = Truth::unknown;
    if (inverted_)
        status.truth = negated(status.truth);
    status.inverted = std::exchange(inverted_, false);
    flow_.ended(status);
    drop_command();
}

// Evaluates what is between the brackets; returns whether it holds, if that is known.
std::optional<bool> ShellReader::apply_sum(std::string_view text) {
    // In A, B, both are evaluated, and the last one is the result.
    if (const size_t comma = text.find(',');
        comma != std::string_view::npos && text.find('(') == std::string_view::npos) {
        apply_sum(text.substr(0, comma));
        return apply_sum(text.substr(comma + 1));
    }
    ShellWordReader reader(text, variables_, words_.line());
    const std::string sum(trimmed(reader.read_all()));
    const ShellProblem problem = reader.take_problem();
    add_problem(problem);
    SumStatus status = shell_sum(sum, variables_);
    if (problem.is_hard()) {
        status.value.reset();
        status.holds.reset();
    }
    apply(status, "((...))");
    return status.holds;
}

// for NAME in WORDS; do, for ((SUM; SUM; SUM)); do, and the same with `select' or with braces.
void ShellReader::read_for(bool asks) {
    begin_word();
    skip_blanks(false);
    ShellLoop loop;
    const ShellStatus status =
        words_.rest().starts_with("((") ? read_sums(loop) : read_list(loop, asks);
    drop_command();
    if (peek() == ';')
        next();
    skip_blanks(true);
    // `{' may replace `do'.
    const bool braces = peek() == '{';
    words_.skip(braces ? 1 : 0);
    loop.place = words_.place();
    loop.line = words_.line();
    flow_.open_loop(std::move(loop), status);
    if (braces)
        flow_.enter_loop();
}

// ((SUM; SUM; SUM)), of which the second decides whether there is a first round.
ShellStatus ShellReader::read_sums(ShellLoop& loop) {
    const std::string_view rest = words_.rest().substr(0, words_.rest().find('\n'));
    const std::string_view sums = rest.substr(2, rest.find("))") - 2);
    const size_t first = std::min(sums.find(';'), sums.size());
    const size_t second = std::min(sums.find(';', first + 1), sums.size());
    words_.skip(sums.size() + 4);
    if (second == sums.size())
        return {};
    loop.condition = sums.substr(first + 1, second - first - 1);
    loop.step = sums.substr(second + 1);
    apply_sum(sums.substr(0, first));
    const auto holds = apply_sum(loop.condition);
    if (!holds || !follows())
        return {};
    return {*holds ? Truth::yes : Truth::no, false, false, {}};
}

// NAME in WORDS; sets the variable for the first round. Whether there is one is what it returns.
ShellStatus ShellReader::read_list(ShellLoop& loop, bool asks) {
    const std::vector<std::string> name = words_.read(false);
    loop.variable = name.empty() ? "" : name[0];
    skip_blanks(true);
    const bool listed = words_.rest().starts_with("in ") || words_.rest().starts_with("in\t");
    if (listed)
        loop.values = read_values();
    // Without a list, it goes through the arguments of the script or the function.
    if (!listed && variables_.arguments() != nullptr) {
        loop.values = variables_.arguments()->words;
        add_problem(variables_.arguments()->problem);
    }
    const bool noted = !listed && variables_.arguments() == nullptr;
    take_problem();
    loop.counted = !asks && !command_.problem.is_hard() && !is_unknown(loop.values) &&
                   std::none_of(loop.values.begin(), loop.values.end(), has_range);
    if (!loop.counted && !loop.variable.empty())
        variables_.forget(loop.variable, "one of a list that is not known");
    if (!loop.counted || !follows())
        return {};
    const bool soft = noted || command_.problem || !command_.notes.empty();
    if (loop.values.empty())
        return {Truth::no, soft, false, {}};
    const std::string first = loop.values[0];
    loop.values.erase(loop.values.begin());
    variables_.set(loop.variable, {{first}}, false, false, false);
    return {Truth::yes, soft, false, {}};
}

// The words behind `in'.
std::vector<std::string> ShellReader::read_values() {
    std::vector<std::string> values;
    words_.skip(2);
    for (skip_blanks(false);
         !words_.at_end() && std::string_view("\n;&|<>()").find(peek()) == std::string_view::npos;
         skip_blanks(false)) {
        for (std::string& word : words_.read(true))
            values.push_back(std::move(word));
    }
    return values;
}

}  // namespace tapgate
