// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/json.h"

#include <nlohmann/json.hpp>

namespace tapgate {

size_t length_of_json(std::string_view text) {
    if (!text.starts_with("{\""))
        return 0;
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size() && text[i] != '\n'; i++) {
        const char c = text[i];
        if (c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '{')
            depth++;
        else if (!quoted && c == '}' && --depth == 0)
            return (i + 1 == text.size() ||
                    std::string_view(" \t\n;&|<>()").find(text[i + 1]) != std::string_view::npos) &&
                           nlohmann::json::accept(text.substr(0, i + 1))
                       ? i + 1
                       : 0;
    }
    return 0;
}

}  // namespace tapgate
