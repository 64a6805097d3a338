// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/vm/change.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ChangedText, ChangesTheKeyAndNothingElse) {
    const std::string file = "# mine\nmemory = 1G # not a comment\n\ncpus=2\nnet = none\n";
    const auto changed = [&](const std::vector<std::string>& words) {
        return changed_text(file, words, "/here");
    };
    EXPECT_EQ(changed({"cpus=4"}), "# mine\nmemory = 1G # not a comment\n\ncpus = 4\nnet = none\n");
    EXPECT_EQ(changed({"cpus="}), "# mine\nmemory = 1G # not a comment\n\nnet = none\n");
    EXPECT_EQ(changed({"firmware=uefi", "cpus=1"}),
              "# mine\nmemory = 1G # not a comment\n\ncpus = 1\nnet = none\nfirmware = uefi\n");
    // A list: in the place of all, or one more. Paths start where the command was typed.
    const std::string lists = "disk = /a.raw\nmemory = 1G\ndisk = /b.raw";
    EXPECT_EQ(changed_text(lists, {"disk=c.raw"}, "/here"), "disk = /here/c.raw\nmemory = 1G\n");
    EXPECT_EQ(changed_text(lists, {"disk+=c.raw,bus=scsi"}, "/here"),
              lists + "\ndisk = /here/c.raw,bus=scsi\n");
    EXPECT_EQ(changed_text(lists, {"disk="}, "/here"), "memory = 1G\n");
    EXPECT_EQ(changed_text("#memory = 3G\n", {"memory=2G"}, "/"), "#memory = 3G\nmemory = 2G\n");
    // As Windows' editors write it.
    EXPECT_EQ(changed_text("\xef\xbb\xbfmemory = 1G\r\n", {"memory=2G"}, "/"), "memory = 2G\n");
}

TEST(WithValue, ChangesOneOfAList) {
    const std::string file = "disk = /a.raw\n# disk = /no.raw\nmemory = 1G\ndisk = /b.raw";
    EXPECT_EQ(with_value(file, "disk", 0, "", "/"), "# disk = /no.raw\nmemory = 1G\ndisk = /b.raw");
    EXPECT_EQ(with_value(file, "disk", 1, "", "/"),
              "disk = /a.raw\n# disk = /no.raw\nmemory = 1G\n");
    EXPECT_EQ(with_value(file, "disk", 1, "c.raw", "/here"),
              "disk = /a.raw\n# disk = /no.raw\nmemory = 1G\ndisk = /here/c.raw\n");
    EXPECT_EQ(with_value(file, "disk", 2, "c.raw", "/here"), file + "\ndisk = /here/c.raw\n");
    EXPECT_EQ(with_value(file, "net", 0, "none", "/"), file + "\nnet = none\n");
    EXPECT_EQ(with_value(file, "net", 0, "", "/"), file);
}

TEST(ChangedText, SaysWhatIsWrong) {
    const auto error = [](const std::string& word) {
        return error_of([&] { changed_text("cpus = 1\n", {word}, "/"); });
    };
    EXPECT_THAT(error("memory"), HasSubstr("are missing: memory=SIZE"));
    EXPECT_THAT(error("memry=2G"), HasSubstr("did you mean `memory'"));
    EXPECT_THAT(error("memory+=2G"), HasSubstr("there is one memory only"));
    EXPECT_THAT(error("net+="), HasSubstr("nothing to add"));
    EXPECT_THAT(error("memory="), HasSubstr("there is no memory to take away"));
    EXPECT_THAT(error("=x"), HasSubstr("unknown key `'"));
    // Not a place in the file, where that does not stand.
    EXPECT_THAT(error("cpus=0"), StartsWith("cpus=0: `0' is not a number from 1 to 255"));
    EXPECT_THAT(error("net+=bridge:"), StartsWith("net=bridge:: "));
}

}  // namespace
}  // namespace tapgate
