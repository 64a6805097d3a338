// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <string_view>
#include <vector>

#include "common/words.h"
#include "launcher/base/text.h"
#include "launcher/foreign/translation/argv_diff.h"

namespace tapgate {

namespace {

// A character of UTF-8 is counted where it begins; each takes one column.
bool begins_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
}

// Where the next line of `text` ends: after a blank or a comma, if there is one in its latter half.
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

// Each option begins a line.
std::vector<std::string> by_option(const std::vector<std::string>& argv, size_t width) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < argv.size();) {
        std::vector<std::string> option = {argv[at++]};
        while (at < argv.size() && !argv[at].starts_with('-'))
            option.push_back(argv[at++]);
        for (std::string& line : wrapped(shell_text(option), width))
            lines.push_back(std::move(line));
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

std::string side_by_side(const std::vector<DiffRow>& rows, size_t width) {
    const size_t column = std::max<size_t>((width - 3) / 2, 8);
    std::string text;
    for (const DiffRow& row : rows) {
        const TranslationNote& note = row.note;
        const std::vector<std::string> left = wrapped(note.was, column);
        const bool kept = note.kind == TranslationNote::Kind::kept;
        const std::string now = !row.argv.empty() ? shell_text(row.argv) : kept ? note.became : "";
        const bool same = kept && now == note.was;
        std::vector<std::string> right =
            row.argv.empty() ? wrapped(now, column) : by_option(row.argv, column);
        const auto add = [&](const std::string& words) {
            for (const std::string& line : wrapped(words, column - 2))
                right.push_back("# " + line);
        };
        if (!kept)
            add(note.became);
        add(note.why);
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
