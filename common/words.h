// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text from outside (from the caller, a policy, the kernel, a guest): how to show it, and how to
// read a number from it.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tapgate {

/// The longest path or policy line that a message shows in full, in bytes.
constexpr size_t long_text = 255;

/// Makes `text` fit to be printed on one line of a terminal or a log. Every word from outside that
/// a message quotes goes through this function, the only place that knows what is unfit:
///  - tabs become blanks;
///  - control characters become '?', including the C1 set of ISO 6429 (U+0080 to U+009F), since
///    U+009B starts terminal commands as ESC [ does; so do line separators, marks that change the
///    direction of writing, and bytes that are not UTF-8: one '?' for each byte;
///  - text over `longest` bytes is cut between characters, and ends in "...".
std::string printable(std::string_view text, size_t longest = 80);

/// Whether `text` has no blank, no ':', no '/', and nothing that printable() replaces: what looks
/// like the name of something is not to be another name, with a character that nobody sees.
bool is_one_word(std::string_view text);

/// Reads a whole decimal number from `least` to `most`. Nothing when `text` is anything else, even
/// a number with a sign or a blank. (atoi() makes 0 of "abc" and 3 of "4294967299".)
std::optional<unsigned> whole_number(std::string_view text, unsigned least = 0,
                                     unsigned most = std::numeric_limits<unsigned>::max());

}  // namespace tapgate
