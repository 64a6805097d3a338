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

/// Does the command `words` succeed? `bracket` is how it begins, which is not in `words`: "[", "[["
/// or "test". If `asks_files`, `variables` is asked about this host's files.
ShellStatus shell_test(std::string_view bracket, std::vector<std::string> words,
                       ShellVariables& variables, bool asks_files);

/// Does the value match a pattern of `case'? Unknown for patterns that take long.
Truth matches_pattern(const std::string& pattern, const std::string& value);

/// Does a part of the value match the regular expression ([[ VALUE =~ EXPRESSION ]])? Then `groups`
/// has that part, followed by those in brackets. Unknown for expressions that take long.
Truth matches_regular(const std::string& expression, const std::string& value,
                      std::vector<std::string>& groups);

}  // namespace tapgate
