// SPDX-License-Identifier: GPL-2.0-or-later
//
// The value of `$(...)' if that is known without running it: parts of paths, sums.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell/variables.h"

namespace tapgate {

/// A command, and what comes after it.
struct ShellOutput {
    std::vector<std::string> words;
    std::string rest;      ///< from `|', `&&' or `||' on
    ShellProblem problem;  ///< with the words
};

/// What the command would print; nothing if only running it would show that.
std::optional<ShellVariables::Value> known_output(const ShellOutput& parts,
                                                  ShellVariables& variables);

/// What `echo` or `printf` prints, with its line's end; nothing if that is unknown, or for another
/// program.
std::optional<std::string> shell_printed(const std::vector<std::string>& words);

/// The text as `$(...)' has it.
std::string without_line_ends(std::string text);

/// The value of `$((text))`: whole numbers, variables, + - * / % and brackets.
std::optional<long long> shell_arithmetic(std::string_view text, ShellVariables& variables);

/// What `((text))' does.
struct SumStatus {
    std::vector<std::string> names;  ///< of the variables that it sets
    std::optional<long long> value;  ///< the value of its variable; nothing if unknown
    std::optional<bool> holds;       ///< whether it succeeds; nothing if unknown
};

SumStatus shell_sum(std::string_view text, ShellVariables& variables);

}  // namespace tapgate
