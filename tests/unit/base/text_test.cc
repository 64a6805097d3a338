// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "launcher/base/sha256.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

TEST(ShellText, QuotesForAnyShell) {
    EXPECT_EQ(shell_text({"a=b", "", "it's", "$x", "~", "a\nb", "*"}),
              "a=b '' 'it'\\''s' '$x' '~' 'a\nb' '*'");
}

TEST(Sha256, IsTheStandards) {
    // FIPS 180-4's examples begin and end so.
    EXPECT_EQ(sha256("abc")[0], 0xba);
    EXPECT_EQ(sha256("abc")[31], 0xad);
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")[0], 0x24);
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")[31], 0xc1);
}

}  // namespace

}  // namespace tapgate
