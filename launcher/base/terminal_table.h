// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text for a terminal that is narrower than it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// How many columns the terminal at stdout has; 0: it is none, and programs read what it gets.
size_t output_width();

/// The same of the terminal at stderr.
size_t error_width();

/// table_text(), in which each row, the first too, is as many lines as `width` asks for: the
/// columns that have no room go below, four blanks further in. 0: one line.
std::string fitted_table(const std::vector<std::vector<std::string>>& rows, size_t width);

/// `text` with a newline and `indent` blanks in the place of a blank where a line of it is longer
/// than `width`. Lines that begin with a blank stay as they are: they show something, and a place
/// in it. 0: all do.
std::string folded_text(std::string_view text, size_t indent, size_t width);

/// `text` in lines that end before `width`, the first of which begins in `column`, and the others
/// behind `indent` blanks. Broken at blanks only: a command's words and a path stay whole. 0: as it
/// is.
std::string fitted_text(std::string_view text, size_t column, size_t indent, size_t width);

}  // namespace tapgate
