// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/terminal_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr size_t further_in = 4;
constexpr size_t between = 2;

// Bytes of UTF-8 that begin a character: what a terminal shows.
size_t columns_of(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

// The columns that stand on one line, from the first to before the second.
using Group = std::pair<size_t, size_t>;

std::vector<Group> groups_of(const std::vector<size_t>& widths, size_t width) {
    std::vector<Group> groups;
    size_t begin = 0;
    size_t at = 0;
    for (size_t i = 0; i < widths.size(); i++) {
        const size_t end = at + (i > begin ? between : 0) + widths[i];
        if (i > begin && end > width) {
            groups.emplace_back(begin, i);
            begin = i;
            at = further_in + widths[i];
        } else {
            at = end;
        }
    }
    groups.emplace_back(begin, widths.size());
    return groups;
}

}  // namespace

size_t output_width() {
    winsize size{};
    return isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
                                                                                      : 0;
}

std::string fitted_table(const std::vector<std::vector<std::string>>& rows, size_t width) {
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t i = 0; i < row.size(); i++)
            widths[i] = std::max(widths[i], columns_of(row[i]));
    }
    const std::vector<Group> groups = groups_of(widths, width);
    if (width == 0 || groups.size() == 1)
        return table_text(rows);
    std::string text;
    for (const auto& row : rows) {
        for (const auto& [begin, end] : groups) {
            std::string line(begin == 0 ? 0 : further_in, ' ');
            for (size_t i = begin; i < std::min(end, row.size()); i++)
                line += row[i] + std::string(widths[i] - columns_of(row[i]) + between, ' ');
            line.resize(line.find_last_not_of(' ') + 1);
            // Only the first line tells of a row that it is there.
            if (begin == 0 || !line.empty())
                text += line + "\n";
        }
    }
    return text;
}

std::string fitted_text(std::string_view text, size_t column, size_t indent, size_t width) {
    if (width == 0)
        return std::string(text);
    std::istringstream words{std::string(text)};
    std::string result;
    size_t at = column;
    bool is_first = true;
    for (std::string word; words >> word;) {
        const size_t length = columns_of(word);
        if (!is_first && at + 1 + length > width) {
            result += "\n" + std::string(indent, ' ');
            at = indent;
        } else if (!is_first) {
            result += ' ';
            at++;
        }
        result += word;
        at += length;
        is_first = false;
    }
    return result;
}

}  // namespace tapgate
