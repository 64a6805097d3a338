// SPDX-License-Identifier: GPL-2.0-or-later
//
// A line as `read' takes it apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// Is it a command that sets variables to what it reads?
bool reads_input(const std::vector<std::string>& command);

/// The words of a line as `read' finds them, at most so many, of which the last is all that is left
/// of the line.
std::vector<std::string> words_of_line(std::string_view line, std::string_view separators,
                                       size_t most);

}  // namespace tapgate
