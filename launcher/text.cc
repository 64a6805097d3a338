// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/text.h"

#include <cstring>

namespace tapgate {

std::string errno_text(int error_number) {
    const char* text = strerrordesc_np(error_number);
    return text != nullptr ? text : "error " + std::to_string(error_number);
}

std::string terminal_text(std::string_view text, size_t longest) {
    // npos + 1 is 0: all blank, nothing stays.
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    std::string clean(text.substr(0, longest));
    for (char& c : clean)
        if (c == '\t')
            c = ' ';
        else if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f')
            c = '?';
    if (text.size() > longest)
        clean += "...";
    return clean;
}

}  // namespace tapgate
