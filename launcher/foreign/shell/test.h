// SPDX-License-Identifier: GPL-2.0-or-later
//
// `[', `[[' and test(1), as far as their words are known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/shell/flow.h"
#include "launcher/foreign/shell/variables.h"

namespace tapgate {

/// Does the command `words` end well? `bracket`: how it begins: "[", "[[" or "test", which is not
/// in `words`. Files of this host are asked for by `variables` where `asks_files`.
ShellStatus shell_test(std::string_view bracket, std::vector<std::string> words,
                       ShellVariables& variables, bool asks_files);

/// Is the value one that the pattern of `case' stands for? Patterns that take long are not asked.
Truth matches_pattern(const std::string& pattern, const std::string& value);

/// Has the value a part that the regular expression stands for ([[ VALUE =~ EXPRESSION ]])? Then
/// `groups` is that part, and what is in its brackets. Expressions that take long are not asked.
Truth matches_regular(const std::string& expression, const std::string& value,
                      std::vector<std::string>& groups);

}  // namespace tapgate
