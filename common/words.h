// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words from outside (the caller's, a policy's, the kernel's, a guest's): how they are shown, and
// the numbers among them.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tapgate {

/// The longest path, or line of a policy, that a message shows whole: in bytes.
constexpr size_t long_text = 255;

/// `text` fit for one line of a terminal or a log, for every word in a message that came from
/// outside. The one place that knows what is not: tabs become blanks; control characters, those of
/// ISO 6429's C1 set too (U+0080 to U+009F, of which U+009B begins a terminal's commands as ESC [
/// does), the separators of lines, the marks that turn the direction of writing, and bytes that are
/// not UTF-8 become '?', one for each byte. What is over `longest` bytes is cut, between
/// characters, and ends in "...".
std::string printable(std::string_view text, size_t longest = 80);

/// A whole decimal number of `least` to `most`, and nothing else, not even a sign or a blank:
/// atoi() makes 0 of "abc" and 3 of "4294967299".
std::optional<unsigned> whole_number(std::string_view text, unsigned least = 0,
                                     unsigned most = std::numeric_limits<unsigned>::max());

}  // namespace tapgate
