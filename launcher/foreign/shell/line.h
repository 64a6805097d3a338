// SPDX-License-Identifier: GPL-2.0-or-later
//
// Splits a line as `read' does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// Is it a command that sets variables to what it reads?
bool reads_input(const std::vector<std::string>& command);

/// The words of a line as `read' finds them, at most `most`, the last of which is all the rest.
std::vector<std::string> words_of_line(std::string_view line, std::string_view separators,
                                       size_t most);

}  // namespace tapgate
