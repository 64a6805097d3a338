// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a fuzzer holds a program to.
#pragma once

#include <cstdlib>
#include <string_view>

namespace tapgate {

/// Ends the fuzzer, which keeps the input, unless that is so.
inline void require(bool condition) {
    if (!condition)
        std::abort();
}

/// A text that a terminal can show, with no control character but `layout`. (A tab stays in the
/// line that an error points at.)
inline void require_clean_text(std::string_view text, std::string_view layout = "\n\t") {
    for (const char c : text)
        require((static_cast<unsigned char>(c) >= ' ' && c != '\x7f') ||
                layout.find(c) != std::string_view::npos);
}

}  // namespace tapgate
