// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "launcher/base/error.h"
#include "launcher/cli/operand.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

TEST(IsImage, IsWhatHasASlashOrAnEnding) {
    for (const char* image : {"./lab", "/a/b", "rhce.qcow2", "a.img", "debian-12.iso", "x.vmdk",
                              "X.VMDK", "rhce,format=raw"})
        EXPECT_TRUE(is_image(image)) << image;
    for (const char* name : {"lab", "rhce.qcow", "qcow2", "img", ""})
        EXPECT_FALSE(is_image(name)) << name;
}

TEST(NameOfImage, IsTheFilesNameAsFarAsItCanBe) {
    EXPECT_EQ(name_of_image("/a/rhce.qcow2").str(), "rhce");
    EXPECT_EQ(name_of_image("./rhce").str(), "rhce");
    EXPECT_EQ(name_of_image("debian-12.5.0-amd64.iso").str(), "debian-12.5.0-amd64");
    EXPECT_EQ(name_of_image("my disk, the second.img").str(), "my-disk-the-second");
    EXPECT_EQ(name_of_image("./rhce.old,format=raw").str(), "rhce.old");
    EXPECT_EQ(name_of_image("2024.qcow2").str(), "vm2024");
    EXPECT_EQ(name_of_image("-x.qcow2").str(), "vm-x");
    EXPECT_EQ(name_of_image("/a/" + std::string(100, 'x') + ".raw").str(), std::string(40, 'x'));
    EXPECT_EQ(name_of_image("2" + std::string(100, 'x') + ".raw").str().size(), 40U);
    EXPECT_THAT(error_of<UsageError>([] { name_of_image("/a/.qcow2"); }),
                testing::HasSubstr("`/a/.qcow2' makes no name for a VM"));
    EXPECT_THAT(error_of<UsageError>([] { name_of_image("/a/"); }),
                testing::HasSubstr("`/a/' makes no name for a VM"));
}

}  // namespace

}  // namespace tapgate
