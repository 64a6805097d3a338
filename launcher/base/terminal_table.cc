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

// The width of the text on a terminal: the number of bytes that begin a UTF-8 character.
size_t columns_of(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

// The columns on one line: from the first to before the second.
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

size_t width_of(int fd) {
    winsize size{};
    return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

size_t output_width() {
    return width_of(STDOUT_FILENO);
}

size_t error_width() {
    return width_of(STDERR_FILENO);
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
            // Only a row's first line is needed to show that the row exists.
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
    const auto add = [&](std::string_view separator, std::string_view piece) {
        if (!result.empty() && at + separator.size() + columns_of(piece) > width) {
            result += "\n" + std::string(indent, ' ');
            at = indent;
        } else {
            result += separator;
            at += separator.size();
        }
        result += piece;
        at += columns_of(piece);
    };
    for (std::string word; words >> word;) {
        const std::string_view separator = result.empty() ? "" : " ";
        if (indent + columns_of(word) <= width) {
            add(separator, word);
            continue;
        }
        for (std::string_view rest = word; !rest.empty();) {
            const std::string_view piece =
                rest.substr(0, std::min(rest.find('|'), rest.size() - 1) + 1);
            add(rest.size() == word.size() ? separator : "", piece);
            rest.remove_prefix(piece.size());
        }
    }
    return result;
}

std::string folded_text(std::string_view text, size_t indent, size_t width) {
    std::string result;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size());
        size_t at = 0;
        while (!line.starts_with(' ') && at + columns_of(line) > width && width > indent) {
            // The last blank that fits, or otherwise the first.
            size_t end = line.find(' ');
            for (size_t next = end; next != std::string_view::npos;
                 next = line.find(' ', next + 1)) {
                if (at + columns_of(line.substr(0, next)) > width)
                    break;
                end = next;
            }
            if (end == std::string_view::npos)
                break;
            result.append(line.substr(0, end)).append("\n").append(indent, ' ');
            line.remove_prefix(end + 1);
            at = indent;
        }
        result += line;
        if (!text.empty()) {
            result += '\n';
            text.remove_prefix(1);
        }
    }
    return result;
}

}  // namespace tapgate
