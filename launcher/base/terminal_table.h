// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text and tables for terminals that may be too narrow for them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// The width of the terminal at stdout in columns; 0 when it is not a terminal, but a file or a
/// pipe.
size_t output_width();

/// The same for the terminal at stderr.
size_t error_width();
/// table_text(), but each row (the first too) takes as many lines as `width` requires: columns for
/// which there is no room go onto the next line, four blanks further in. 0: one line for each row.
/// columns that have no room go below, four blanks further in. 0: one line.
std::string fitted_table(const std::vector<std::vector<std::string>>& rows, size_t width);

/// `text`, in which a line longer than `width` is folded: a blank becomes a newline and `indent`
/// blanks. Lines that begin with a blank stay as they are, since they show something and a place in
/// it. A `width` of 0 folds nothing.
std::string folded_text(std::string_view text, size_t indent, size_t width);

/// `text` in lines that end before `width`. The first line begins in `column`, the others after
/// `indent` blanks. Lines are broken only at blanks, so that a command's words and a path stay
/// whole. A `width` of 0 changes nothing.
std::string fitted_text(std::string_view text, size_t column, size_t indent, size_t width);

}  // namespace tapgate
