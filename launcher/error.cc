// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/error.h"

namespace tapgate {

std::string shown(std::string_view text) {
    constexpr size_t widest = 200;
    std::string line;
    for (const char c : text.substr(0, widest))
        line += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
    if (text.size() > widest)
        line += "...";
    return line;
}

std::string quoted_word(std::string_view text) {
    return "`" + shown(text) + "'";
}

}  // namespace tapgate
