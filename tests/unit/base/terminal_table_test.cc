// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"

namespace tapgate {
namespace {

TEST(FittedTable, PutsColumnsBelowThatHaveNoRoom) {
    const std::vector<std::vector<std::string>> rows = {
        {"NAME", "STATE", "NETWORK"}, {"lab", "running", "br0/52:54:00:00:00:01"}, {"x", "off"}};
    // Whoever is no terminal, or wide enough, gets a line for each.
    EXPECT_EQ(fitted_table(rows, 0), table_text(rows));
    EXPECT_EQ(fitted_table(rows, 36), table_text(rows));
    EXPECT_EQ(fitted_table(rows, 35),
              "NAME  STATE\n"
              "    NETWORK\n"
              "lab   running\n"
              "    br0/52:54:00:00:00:01\n"
              "x     off\n");
    // Nothing is lost where not even one column has room.
    EXPECT_EQ(
        fitted_table(rows, 1),
        "NAME\n    STATE\n    NETWORK\nlab\n    running\n    br0/52:54:00:00:00:01\nx\n    off\n");
    EXPECT_EQ(fitted_table({}, 10), "");
    // Characters are counted, not bytes.
    EXPECT_EQ(fitted_table({{"\xc3\xa4\xc3\xb6", "b"}}, 5), "\xc3\xa4\xc3\xb6  b\n");
}

TEST(FittedText, BreaksAtBlanksOnly) {
    EXPECT_EQ(fitted_text("no bridge here", 0, 2, 0), "no bridge here");
    EXPECT_EQ(fitted_text("no bridge here", 0, 2, 10), "no bridge\n  here");
    EXPECT_EQ(fitted_text("no bridge here", 4, 4, 10), "no\n    bridge\n    here");
    EXPECT_EQ(fitted_text("/a/path/that/is/long x", 0, 2, 10), "/a/path/that/is/long\n  x");
    EXPECT_EQ(fitted_text("", 3, 3, 10), "");
    // But for a list of words that is longer than a line.
    EXPECT_EQ(fitted_text("a format=raw|qcow2|vmdk, b", 0, 2, 14),
              "a format=raw|\n  qcow2|vmdk,\n  b");
    EXPECT_EQ(fitted_text("a raw|qcow2|vmdk b", 0, 2, 18), "a raw|qcow2|vmdk b");
}

TEST(FoldedText, IsBrokenAtItsBlanksAndKeepsThem) {
    EXPECT_EQ(folded_text("one two  three", 2, 0), "one two  three");
    EXPECT_EQ(folded_text("one two three", 2, 8), "one two\n  three");
    EXPECT_EQ(folded_text("one two three four", 2, 9), "one two\n  three\n  four");
    // A name with two blanks is no other one.
    EXPECT_EQ(folded_text("a b  c d", 1, 20), "a b  c d");
    EXPECT_EQ(folded_text("/a/path/that/is/long x", 2, 10), "/a/path/that/is/long\n  x");
    // What shows a place in a line.
    EXPECT_EQ(folded_text("wrong\n    memory = 2X and more\n         ^\n", 2, 10),
              "wrong\n    memory = 2X and more\n         ^\n");
    EXPECT_EQ(folded_text("\n\n", 2, 10), "\n\n");
    EXPECT_EQ(folded_text("one two", 2, 1), "one two");
}

}  // namespace
}  // namespace tapgate
