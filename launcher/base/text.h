// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words from outside (the user's, the helper's, QEMU's, the kernel's), made fit to be shown.
#ifndef TAPGATE_LAUNCHER_TEXT_H
#define TAPGATE_LAUNCHER_TEXT_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// The text of an errno, in English wherever the user lives: error lines are searched for.
std::string errno_text(int error_number);

/// What separates words in a line.
constexpr std::string_view blanks = " \t\r";

/// `text` without the `separators` at its ends.
std::string_view trimmed(std::string_view text, std::string_view separators = blanks);

/// The words between single commas; two commas are one that belongs to the word, as with QEMU.
std::vector<std::string> split_at_commas(std::string_view text);

/// `text` fit for a terminal: control characters but the newline become '?' (a tab a blank), blanks
/// and newlines at its end go, and what is over `longest` bytes is cut and ends in "...".
std::string terminal_text(std::string_view text, size_t longest = 4096);

/// `text` fit for a part of one line: control characters become '?', and what is over 200 bytes is
/// cut and ends in "...". Blanks stay: they may be what is wrong with it.
std::string shown(std::string_view text);

/// shown(), between the quotes that errors have around what they speak of.
std::string quoted_word(std::string_view text);

/// `text` with each comma written twice: so a comma belongs to a word of a list, in QEMU's options
/// and in ours.
std::string commas_doubled(std::string_view text);

/// The words as a list that split_at_commas() takes apart again.
std::string joined_by_commas(const std::vector<std::string>& words);

/// The one of `names` that was probably meant by `word`, as " (did you mean `memory'?)"; or
/// nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& names);

/// "3d 4h", "4h 5m", "5m 6s"; less than nothing is "0m 0s".
std::string duration_text(std::int64_t seconds);

/// Rows of cells, each column as wide as its widest cell, two blanks apart, and no blanks at a
/// line's end.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace tapgate

#endif
