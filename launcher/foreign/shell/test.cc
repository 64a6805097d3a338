// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/test.h"

#include <fnmatch.h>
#include <regex.h>

#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

ShellStatus of_file(const std::string& path, ShellVariables& variables, bool asks_files) {
    ShellStatus status;
    // At each start, tapgate itself finds out whether there is KVM.
    if (path == "/dev/kvm")
        return {Truth::yes, true, false, {}};
    // Where the script has gone by `cd', or where it is started.
    const ShellVariables::Value here = variables.get("PWD");
    const bool relative = !path.starts_with('/');
    if (!asks_files || path.empty() || (relative && (here.problem || here.words.size() != 1)))
        return status;
    const std::string whole = relative ? here.words[0] + "/" + path : path;
    if (const auto exists = variables.surroundings().exists(whole))
        status = {truth_of(*exists), true, true, {}};
    return status;
}

Truth compared(const std::string& left, std::string_view how, const std::string& right,
               std::string_view bracket) {
    if (how == "==" || how == "=")
        return truth_of(left == right);
    if (how == "!=")
        return truth_of(left != right);
    if (how == "<" || how == ">") {
        // Compared as texts, where only digits have the same order everywhere.
        constexpr std::string_view digits = "0123456789";
        const bool known = (left + right).find_first_not_of(digits) == std::string::npos;
        return known ? truth_of(how == "<" ? left < right : left > right) : Truth::unknown;
    }
    // An empty operand is zero in [[, and an error in the others.
    if ((left.empty() || right.empty()) && bracket != "[[")
        return how.starts_with('-') ? Truth::no : Truth::unknown;
    const auto a = parse_whole<long>(left.empty() ? "0" : left);
    const auto b = parse_whole<long>(right.empty() ? "0" : right);
    if (!a || !b)
        return Truth::unknown;
    if (how == "-eq")
        return truth_of(*a == *b);
    if (how == "-ne")
        return truth_of(*a != *b);
    if (how == "-gt")
        return truth_of(*a > *b);
    if (how == "-ge")
        return truth_of(*a >= *b);
    if (how == "-lt")
        return truth_of(*a < *b);
    return how == "-le" ? truth_of(*a <= *b) : Truth::unknown;
}

// [ A -a B ], [ A -o B ]
ShellStatus of_several(std::string_view bracket, const std::vector<std::string>& words,
                       ShellVariables& variables, bool asks_files) {
    constexpr size_t most = 12;
    for (const std::string_view how : {"-o", "-a"}) {
        if (words.size() > most)
            break;
        const auto found = std::find(words.begin(), words.end(), how);
        if (found == words.end())
            continue;
        ShellStatus left = shell_test(bracket, {words.begin(), found}, variables, asks_files);
        const ShellStatus right =
            shell_test(bracket, {found + 1, words.end()}, variables, asks_files);
        left.truth =
            how == "-o" ? std::max(left.truth, right.truth) : std::min(left.truth, right.truth);
        left.soft = left.soft || right.soft;
        left.files = left.files || right.files;
        return left;
    }
    return {};
}

// Does the C library match it quickly? It copies for {N,M} within {N,M}, and goes through the
// copies by recursion; for references back to a bracket it tries all ways.
bool is_quick(const std::string& expression) {
    constexpr unsigned long most_characters = 8192;
    const unsigned long most_copies = most_characters / std::max(expression.size(), size_t{1});
    unsigned long copies = 1;
    for (size_t i = 0; i + 1 < expression.size(); i++) {
        const char c = expression[i];
        const char behind = expression[i + 1];
        if (c == '\\' && behind >= '1' && behind <= '9')
            return false;
        if ((c != '{' && c != ',') || behind < '0' || behind > '9')
            continue;
        const std::string digits =
            expression.substr(i + 1, expression.find_first_not_of("0123456789", i + 1) - i - 1);
        copies *=
            std::max(parse_whole<unsigned long>(digits, 0, most_copies).value_or(most_copies), 1UL);
        if (copies > most_copies)
            return false;
    }
    return true;
}

void forget_groups(ShellVariables& variables) {
    const std::string name = "BASH_REMATCH";
    variables.assign(name, {{}, ShellProblem{"set by `=~'"}.of_variable(name)});
}

// [[ VALUE =~ EXPRESSION ]]
Truth of_regular(const std::string& value, const std::string& expression,
                 ShellVariables& variables) {
    std::vector<std::string> groups;
    const Truth truth = matches_regular(expression, value, groups);
    if (truth == Truth::unknown)
        forget_groups(variables);
    else
        variables.assign("BASH_REMATCH", {std::move(groups)}, true);
    return truth;
}

}  // namespace

Truth matches_regular(const std::string& expression, const std::string& value,
                      std::vector<std::string>& groups) {
    constexpr size_t longest = 256;
    constexpr size_t most_groups = 10;
    if (is_unknown(expression) || is_unknown(value) || expression.size() > longest ||
        value.size() > longest || !is_quick(expression))
        return Truth::unknown;
    regex_t compiled;
    if (regcomp(&compiled, expression.c_str(), REG_EXTENDED) != 0)
        return Truth::unknown;
    std::array<regmatch_t, most_groups> found{};
    const bool matches = regexec(&compiled, value.c_str(), found.size(), found.data(), 0) == 0;
    const size_t count = std::min(compiled.re_nsub + 1, found.size());
    regfree(&compiled);
    for (size_t i = 0; matches && i < count; i++) {
        const auto begin = static_cast<size_t>(std::max(found[i].rm_so, 0));
        const auto end = static_cast<size_t>(std::max(found[i].rm_eo, 0));
        groups.push_back(value.substr(begin, end - begin));
    }
    return truth_of(matches);
}

Truth matches_pattern(const std::string& pattern, const std::string& value) {
    constexpr size_t longest = 1024;
    constexpr long most_stars = 4;
    if (is_unknown(pattern) || is_unknown(value))
        return Truth::unknown;
    if (pattern.size() > longest || value.size() > longest ||
        std::count(pattern.begin(), pattern.end(), '*') > most_stars)
        return Truth::unknown;
    return truth_of(fnmatch(pattern.c_str(), value.c_str(), 0) == 0);
}

ShellStatus shell_test(std::string_view bracket, std::vector<std::string> words,
                       ShellVariables& variables, bool asks_files) {
    if (bracket != "test" && !words.empty() && (words.back() == "]" || words.back() == "]]"))
        words.pop_back();
    bool inverted = false;
    while (!words.empty() && words[0] == "!" && words.size() <= 4) {
        inverted = !inverted;
        words.erase(words.begin());
    }
    ShellStatus status;
    const bool known = !is_unknown(words);
    constexpr std::array<std::string_view, 9> of_files = {"-e", "-f", "-r", "-d", "-s",
                                                          "-w", "-c", "-b", "-x"};
    if (!known && std::find(words.begin(), words.end(), "=~") != words.end())
        forget_groups(variables);
    if (!known)
        return status;
    // An empty variable without quotes is no word, which is an error in a comparison.
    const bool half_compared =
        words.size() == 2 && (words[0] == "==" || words[0] == "=" || words[0] == "!=");
    if (words.empty() || half_compared)
        status.truth = Truth::no;
    else if (words.size() == 1 && (words[0] == "-z" || words[0] == "-n"))
        status.truth = truth_of(words[0] == "-z" || bracket != "[[");
    else if (words.size() == 1)
        status.truth = truth_of(!words[0].empty());
    else if (words.size() == 2 && (words[0] == "-z" || words[0] == "-n"))
        status.truth = truth_of(words[1].empty() == (words[0] == "-z"));
    else if (words.size() == 2 && is_one_of(words[0], of_files))
        status = of_file(words[1], variables, asks_files);
    else if (words.size() == 3 && bracket == "[[" && (words[1] == "==" || words[1] == "="))
        status.truth = matches_pattern(words[2], words[0]);
    else if (words.size() == 3 && bracket == "[[" && words[1] == "!=")
        status.truth = negated(matches_pattern(words[2], words[0]));
    else if (words.size() == 3 && bracket == "[[" && words[1] == "=~")
        status.truth = of_regular(words[0], words[2], variables);
    else if (words.size() == 3)
        status.truth = compared(words[0], words[1], words[2], bracket);
    else if (bracket != "[[")
        status = of_several(bracket, words, variables, asks_files);
    if (inverted)
        status.truth = negated(status.truth);
    return status;
}

}  // namespace tapgate
