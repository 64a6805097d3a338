// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text from outside (from the user, the helper, QEMU, the kernel), made fit to be shown.
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

/// The text of an errno, in English whatever the user's locale: people search for error lines.
std::string errno_text(int error_number);

/// The characters that separate words in a line.
constexpr std::string_view blanks = " \t\r";

/// `text` without the `separators` at its ends.
std::string_view trimmed(std::string_view text, std::string_view separators = blanks);

/// `text` without the mark that some editors, mostly on Windows, put in front of UTF-8.
std::string_view without_byte_order_mark(std::string_view text);

/// `text` as a whole number from `least` to `most`. Nothing when it is anything but decimal digits.
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

/// The words between single commas. Two commas in a row are a comma within a word, as with QEMU.
std::vector<std::string> split_at_commas(std::string_view text);

/// `text` fit for a terminal: printable() (common/words.h) for each of its lines. What exceeds
/// `longest` bytes is cut, and ends in "...".
std::string terminal_lines(std::string_view text, size_t longest);

/// The same, without blanks and newlines at the end.
std::string terminal_text(std::string_view text, size_t longest = 4096);

/// `text` fit for a part of one line, as printable() makes it, cut at 200 bytes. Blanks at the ends
/// stay: they may be what is wrong with it.
std::string shown(std::string_view text);

/// shown(), in the quotes that errors use.
std::string quoted_word(std::string_view text);

/// `text` with each comma doubled, so that it is part of a word, in QEMU's options and in ours.
std::string commas_doubled(std::string_view text);

/// The words as a list that split_at_commas() can take apart again.
std::string joined_by_commas(const std::vector<std::string>& words);

/// The arguments as words of a POSIX shell, which reads exactly these back.
std::string shell_text(const std::vector<std::string>& argv);

/// One word for a command that a message advises, so that it can be typed as it is shown.
std::string shell_word(std::string_view word);

/// `text` in lower case (ASCII letters only): "vmxnet3" for "VmxNet3".
std::string in_small_letters(std::string_view text);

/// The one of `names` that `word` was probably meant to be, in small letters or not, as " (did you
/// mean `memory'?)"; empty when there is none.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& names);

/// A size as in "512M", "9000M", "40G": never a fraction, and never more than the size.
std::string size_text(std::uint64_t mebibytes);

/// A duration as in "3d 4h", "4h 5m", "5m 6s". A negative one is "0m 0s".
std::string duration_text(std::int64_t seconds);

/// Rows of cells. Each column is as wide as its widest cell, columns are two blanks apart, and no
/// line ends in blanks.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace tapgate
