// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/text.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "common/words.h"

namespace tapgate {

namespace {

// The Damerau-Levenshtein distance: the fewest letters to change, add or remove. Two adjacent
// letters that are swapped count as one mistake, since that is the most common typing error.
size_t distance(std::string_view a, std::string_view b) {
    std::vector<size_t> before(b.size() + 1);
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (size_t i = 0; i < a.size(); i++) {
        std::vector<size_t> next(b.size() + 1, i + 1);
        for (size_t j = 0; j < b.size(); j++) {
            next[j + 1] =
                std::min({row[j] + (a[i] == b[j] ? 0U : 1U), row[j + 1] + 1, next[j] + 1});
            if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j])
                next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
        }
        before = std::exchange(row, std::move(next));
    }
    return row.back();
}

}  // namespace

std::string errno_text(int error_number) {
    const char* text = strerrordesc_np(error_number);
    return text != nullptr ? text : "error " + std::to_string(error_number);
}

std::string_view trimmed(std::string_view text, std::string_view separators) {
    const size_t first = text.find_first_not_of(separators);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(separators) + 1 - first);
}

std::string_view without_byte_order_mark(std::string_view text) {
    constexpr std::string_view mark = "\xef\xbb\xbf";
    if (text.starts_with(mark))
        text.remove_prefix(mark.size());
    return text;
}

std::vector<std::string> split_at_commas(std::string_view text) {
    std::vector<std::string> words(1);
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != ',') {
            words.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',') {
            words.back() += ',';
            i++;
        } else {
            words.emplace_back();
        }
    }
    return words;
}

std::string terminal_lines(std::string_view text, size_t longest) {
    std::string clean;
    for (;;) {
        const std::string_view line = text.substr(0, text.find('\n'));
        const size_t room = longest - clean.size();
        clean += printable(line, room);
        if (line.size() > room || line.size() == text.size())
            return clean;
        clean += '\n';
        if (clean.size() > longest)
            return clean + "...";
        text.remove_prefix(line.size() + 1);
    }
}

std::string terminal_text(std::string_view text, size_t longest) {
    // npos + 1 is 0: nothing is left of blank text.
    return terminal_lines(text.substr(0, text.find_last_not_of(" \t\r\n") + 1), longest);
}

std::string shown(std::string_view text) {
    return printable(text, 200);
}

std::string quoted_word(std::string_view text) {
    return "`" + shown(text) + "'";
}

std::string commas_doubled(std::string_view text) {
    std::string doubled;
    for (const char c : text)
        doubled.append(c == ',' ? 2 : 1, c);
    return doubled;
}

std::string joined_by_commas(const std::vector<std::string>& words) {
    std::string text;
    for (size_t i = 0; i < words.size(); i++)
        text.append(i == 0 ? "" : ",").append(commas_doubled(words[i]));
    return text;
}

std::string in_small_letters(std::string_view text) {
    std::string small(text);
    std::transform(small.begin(), small.end(), small.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return small;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& names) {
    std::string_view best;
    size_t least = word.size() / 3 + 1;
    const std::string small = in_small_letters(word.substr(0, 64));
    for (const std::string_view name : names) {
        if (const size_t d = distance(small, in_small_letters(name));
            d < least && d < name.size()) {
            least = d;
            best = name;
        }
    }
    // Otherwise a name that begins with the word, if there is only one.
    if (best.empty() && word.size() > 1) {
        const auto begins = [&](std::string_view name) { return name.starts_with(word); };
        if (std::count_if(names.begin(), names.end(), begins) == 1)
            best = *std::find_if(names.begin(), names.end(), begins);
    }
    return best.empty() ? "" : " (did you mean " + quoted_word(best) + "?)";
}

std::string size_text(std::uint64_t mebibytes) {
    constexpr std::uint64_t gibibyte = 1024;
    if (mebibytes < 10 * gibibyte)
        return std::to_string(mebibytes) + "M";
    return std::to_string(mebibytes / gibibyte) + "G";
}

std::string duration_text(std::int64_t seconds) {
    seconds = std::max<std::int64_t>(seconds, 0);
    const auto two = [](std::int64_t a, const char* unit, std::int64_t b, const char* smaller) {
        return std::to_string(a) + unit + " " + std::to_string(b) + smaller;
    };
    if (seconds >= 86400)
        return two(seconds / 86400, "d", seconds / 3600 % 24, "h");
    if (seconds >= 3600)
        return two(seconds / 3600, "h", seconds / 60 % 60, "m");
    return two(seconds / 60, "m", seconds % 60, "s");
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
    // The width on a terminal: the number of bytes that begin a UTF-8 character.
    const auto width_of = [](const std::string& cell) {
        return static_cast<size_t>(std::count_if(cell.begin(), cell.end(), [](char c) {
            return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
        }));
    };
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t i = 0; i < row.size(); i++)
            widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); i++)
            line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
        line.resize(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string shell_text(const std::vector<std::string>& argv) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
    std::string text;
    for (const std::string& argument : argv) {
        if (!text.empty())
            text += ' ';
        if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos) {
            text += argument;
            continue;
        }
        text += '\'';
        for (const char c : argument) {
            if (c == '\'')
                text += R"('\'')";
            else
                text += c;
        }
        text += '\'';
    }
    return text;
}

std::string shell_word(std::string_view word) {
    return terminal_text(shell_text({std::string(word)}));
}

}  // namespace tapgate
