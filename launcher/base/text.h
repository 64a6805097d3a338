// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words from outside (the user's, the helper's, QEMU's, the kernel's), made fit to be shown.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tapgate {

/// The text of an errno, in English wherever the user lives: error lines are searched for.
std::string errno_text(int error_number);

/// What separates words in a line.
constexpr std::string_view blanks = " \t\r";

/// `text` without the `separators` at its ends.
std::string_view trimmed(std::string_view text, std::string_view separators = blanks);

/// `text` without the mark that some editors, of Windows most of all, put in front of UTF-8.
std::string_view without_byte_order_mark(std::string_view text);

/// `text` as a whole number from `least` to `most`, in decimal digits and nothing else; nothing
/// when it is none.
template <typename Number>
std::optional<Number> parse_whole(std::string_view text,
                                  Number least = std::numeric_limits<Number>::min(),
                                  Number most = std::numeric_limits<Number>::max()) {
    Number number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < least || number > most)
        return std::nullopt;
    return number;
}

/// The words between single commas; two commas are one that belongs to the word, as with QEMU.
std::vector<std::string> split_at_commas(std::string_view text);

/// `text` fit for a terminal, which printable() (common/words.h) makes of each of its lines; what
/// is over `longest` bytes is cut and ends in "...".
std::string terminal_lines(std::string_view text, size_t longest);

/// The same, and blanks and newlines at the end go.
std::string terminal_text(std::string_view text, size_t longest = 4096);

/// `text` fit for a part of one line, as printable() makes it; over 200 bytes are cut. Blanks stay:
/// they may be what is wrong with it.
std::string shown(std::string_view text);

/// shown(), between the quotes that errors have around what they speak of.
std::string quoted_word(std::string_view text);

/// `text` with each comma written twice: so a comma belongs to a word of a list, in QEMU's options
/// and in ours.
std::string commas_doubled(std::string_view text);

/// The words as a list that split_at_commas() takes apart again.
std::string joined_by_commas(const std::vector<std::string>& words);

/// The arguments as a POSIX shell's words, which is read back as exactly these.
std::string shell_text(const std::vector<std::string>& argv);

/// "VmxNet3" as "vmxnet3".
std::string in_small_letters(std::string_view text);

/// The one of `names` that was probably meant by `word`, as " (did you mean `memory'?)"; or
/// nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& names);

/// "512M", "9000M", "40G": never a fraction, and never more than the size.
std::string size_text(std::uint64_t mebibytes);

/// "3d 4h", "4h 5m", "5m 6s"; less than nothing is "0m 0s".
std::string duration_text(std::int64_t seconds);

/// Rows of cells, each column as wide as its widest cell, two blanks apart, and no blanks at a
/// line's end.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace tapgate
