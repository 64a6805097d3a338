// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/words.h"

#include <gtest/gtest.h>

namespace tapgate {
namespace {

using namespace std::string_literals;

TEST(Printable, LeavesTextAsItIs) {
    for (const auto* text :
         {"", "br0", " two  words ", "~", "Stra\303\237e", "\xc2\xa1", "\xe6\xa9\x8b",
          "\xf0\x9f\x8c\x89", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xe2\x80\x90",
          "\xe2\x80\xa7", "\xe2\x80\xb0", "\xe2\x81\xb0"})
        EXPECT_EQ(printable(text), text);
}

TEST(Printable, TakesControlCharactersOut) {
    for (int c = 0; c < 0x20; c++)
        EXPECT_EQ(printable("a"s + static_cast<char>(c) + "b"), c == '\t' ? "a b" : "a?b") << c;
    EXPECT_EQ(printable("\x7f"), "?");
    EXPECT_EQ(printable("\x1b]0;title\x07"), "?]0;title?");
}

// ESC [ is one character there, and a terminal in UTF-8 mode obeys it.
TEST(Printable, TakesC1ControlCharactersOut) {
    for (int c = 0x80; c <= 0x9f; c++) {
        EXPECT_EQ(printable("a\xc2"s + static_cast<char>(c) + "2J"), "a??2J") << c;
        EXPECT_EQ(printable("a"s + static_cast<char>(c) + "2J"), "a?2J")
            << c;  // in ISO 8859's coding
    }
}

TEST(Printable, TakesOutWhatIsNotUtf8) {
    EXPECT_EQ(printable("\xa0\xff\xfe\xc0"), "????");
    EXPECT_EQ(printable("a\xc3"), "a?");  // cut short
    EXPECT_EQ(printable("\xc3(\xe6\xa9("),
              "?(?"
              "?(");  // no continuation: what follows is not swallowed
    EXPECT_EQ(printable("\xe6\xa9\x1b[J"), "???[J");
    EXPECT_EQ(printable("\xc1\x9b"), "??");       // longer than need be: '['
    EXPECT_EQ(printable("\xe0\x82\x9b"), "???");  // U+009B so
    EXPECT_EQ(printable("\xf0\x80\x82\x9b"), "????");
    EXPECT_EQ(printable("\xed\xa0\x80"), "???");       // a surrogate
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????");  // beyond U+10FFFF
    EXPECT_EQ(printable("\xf8\x88\x80\x80\x80"), "?????");
}

// "bridge=br0 uid=0", as one word of somebody's.
TEST(Printable, TakesOutBlanksThatLookLikeOthers) {
    for (const auto* blank :
         {"\xc2\xa0", "\xc2\xad", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x83", "\xe2\x80\x8b",
          "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe2\x81\xa0", "\xe3\x80\x80", "\xef\xbb\xbf"})
        EXPECT_EQ(printable("a"s + blank + "b").find_first_not_of("a?b"), std::string::npos);
}

TEST(Printable, TakesOutWhatBreaksOrTurnsTheLine) {
    // NOLINTBEGIN(misc-misleading-bidirectional): these are what it has to take out
    for (const auto* mark :
         {"\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
          "\xe2\x80\xaa", "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"}) {
        // NOLINTEND(misc-misleading-bidirectional)
        const std::string shown = printable("a"s + mark + "b");
        EXPECT_EQ(shown.front(), 'a');
        EXPECT_EQ(shown.find_first_not_of("a?b"), std::string::npos) << shown;
    }
}

TEST(Printable, CutsBetweenCharacters) {
    EXPECT_EQ(printable("abcd", 4), "abcd");
    EXPECT_EQ(printable("abcde", 4), "abcd...");
    EXPECT_EQ(printable("abc\xc3\xa4", 4), "abc...");
    EXPECT_EQ(printable(std::string(100, 'x')), std::string(80, 'x') + "...");
    EXPECT_EQ(printable("x", 0), "...");
}

TEST(WholeNumber, IsNothingElse) {
    EXPECT_EQ(whole_number("0"), 0U);
    EXPECT_EQ(whole_number("007"), 7U);
    EXPECT_EQ(whole_number("4294967295"), 4294967295U);
    EXPECT_EQ(whole_number("5", 5, 5), 5U);
    for (const auto* text :
         {"", "abc", "-1", "+3", " 3", "3 ", "3x", "0x3", "4294967296", "99999999999999999999"})
        EXPECT_FALSE(whole_number(text)) << text;
    EXPECT_FALSE(whole_number("4", 5, 6));
    EXPECT_FALSE(whole_number("7", 5, 6));
}

}  // namespace
}  // namespace tapgate
