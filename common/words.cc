// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/words.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace tapgate {

namespace {

struct Range {
    char32_t first;
    char32_t last;
};

// The Unicode characters that must not appear in a line.
constexpr Range hidden[] = {
    {0, 0x1f},        {0x7f, 0xa0},  // control characters (C0, DEL, C1); no-break space
    {0xad, 0xad},     {0x61c, 0x61c},   {0x1680, 0x1680},  // soft hyphen, direction mark, blank
    {0x2000, 0x200f},  // blanks of all widths, zero included; direction marks
    {0x2028, 0x202f},  // line and paragraph separators, direction embeddings and overrides
    {0x205f, 0x206f},  // more blanks; direction isolates
    {0x3000, 0x3000}, {0xfeff, 0xfeff}, {0xd800, 0xdfff},  // blanks; UTF-16 surrogates
};

// The size in bytes of the UTF-8 character at the beginning of `text`; 0 when there is no valid
// one, or it is to be hidden.
size_t shown_size(std::string_view text) {
    // The lowest code that needs so many bytes: an overlong form is not valid.
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const auto first = static_cast<unsigned char>(text.front());
    const int ones = std::countl_one(first);
    const size_t size = ones == 0 ? 1 : ones == 1 || ones > 4 ? 0 : static_cast<size_t>(ones);
    if (size == 0 || size > text.size())
        return 0;
    char32_t code = size == 1 ? first : first & (0x7fU >> size);
    for (const char c : text.substr(1, size - 1)) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xc0U) != 0x80)
            return 0;
        code = code << 6U | (byte & 0x3fU);
    }
    const bool is_hidden =
        std::any_of(std::begin(hidden), std::end(hidden),
                    [&](const Range& range) { return code >= range.first && code <= range.last; });
    return code < least[size] || code > 0x10ffff || is_hidden ? 0 : size;
}

}  // namespace

std::string printable(std::string_view text, size_t longest) {
    std::string clean;
    while (!text.empty()) {
        const size_t size = shown_size(text);
        const size_t taken = std::max<size_t>(size, 1);
        if (clean.size() + taken > longest)
            return clean + "...";
        if (size > 0)
            clean += text.substr(0, size);
        else
            clean += text.front() == '\t' ? ' ' : '?';
        text.remove_prefix(taken);
    }
    return clean;
}

bool is_one_word(std::string_view text) {
    return text.find_first_of(" :/") == std::string_view::npos &&
           printable(text, text.size()) == text;
}

std::optional<unsigned> whole_number(std::string_view text, unsigned least, unsigned most) {
    unsigned number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < least || number > most)
        return std::nullopt;
    return number;
}

}  // namespace tapgate
