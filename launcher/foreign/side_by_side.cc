// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/side_by_side.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "common/words.h"

namespace tapgate {

namespace {

// A character of UTF-8 is where it begins; every one is counted as a column.
bool begins_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
}

// Where the next line of `text` ends: behind a blank or a comma, where there is one in its latter
// half.
size_t end_of_line(std::string_view text, size_t width) {
    size_t columns = 0;
    size_t end = 0;
    size_t good = 0;
    for (; end < text.size(); end++) {
        if (begins_character(text[end]) && columns++ == width)
            break;
        if ((text[end] == ' ' || text[end] == ',') && columns > width / 2)
            good = end + 1;
    }
    return end == text.size() || good == 0 ? end : good;
}

std::vector<std::string> wrapped(const std::string& text, size_t width) {
    constexpr size_t longest = 64UL * 1024;
    std::vector<std::string> lines;
    const std::string clean = printable(text, longest);
    for (std::string_view left = clean; !left.empty();) {
        const size_t end = end_of_line(left, width);
        lines.emplace_back(left.substr(0, end));
        left.remove_prefix(end);
    }
    return lines;
}

std::string padded(std::string text, size_t width) {
    const auto columns =
        static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_character));
    text.append(width - std::min(columns, width), ' ');
    return text;
}

char sign_of(TranslationNote::Kind kind) {
    switch (kind) {
        case TranslationNote::Kind::changed:
        case TranslationNote::Kind::kept:
            return '|';
        case TranslationNote::Kind::added:
            return '>';
        case TranslationNote::Kind::dropped:
            return '<';
    }
    return ' ';
}

}  // namespace

std::string side_by_side(const Translation& translation, size_t width) {
    const size_t column = std::max<size_t>((width - 3) / 2, 8);
    std::string text;
    for (const TranslationNote& note : translation.notes) {
        const std::vector<std::string> left = wrapped(note.was, column);
        const bool same = note.kind == TranslationNote::Kind::kept &&
                          (note.became.empty() || note.became == note.was);
        std::vector<std::string> right = wrapped(same ? note.was : note.became, column);
        for (const std::string& line : wrapped(note.why, column - 2))
            right.push_back("# " + line);
        for (size_t i = 0; i < std::max(left.size(), right.size()); i++) {
            std::string line = padded(i < left.size() ? left[i] : "", column) + " " +
                               (i == 0 && !same ? sign_of(note.kind) : ' ') + " " +
                               (i < right.size() ? right[i] : "");
            line.erase(line.find_last_not_of(' ') + 1);
            text += line + "\n";
        }
    }
    return text;
}

}  // namespace tapgate
