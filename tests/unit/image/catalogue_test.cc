// SPDX-License-Identifier: GPL-2.0-or-later
//
// Names of images, and the checksums that they are compared with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "launcher/base/stop_signals.h"
#include "launcher/image/catalogue.h"
#include "launcher/image/checksums.h"
#include "launcher/image/store.h"
#include "launcher/vm/description.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

const std::string digest(64, 'a');
const std::string other(64, 'b');

TEST(Checksums, AreReadFromListsOfAnyKind) {
    const auto found = [](const std::string& list) {
        const auto checksum = checksum_in(list, "a.qcow2");
        return checksum ? checksum->hex() : "none";
    };
    EXPECT_EQ(found(other + "  b.qcow2\n" + digest + "  a.qcow2\n"), digest);
    EXPECT_EQ(found(digest + " *a.qcow2"), digest);
    EXPECT_EQ(found(digest + "  ./a.qcow2\r\n"), digest);
    EXPECT_EQ(found("# a.qcow2: 5 bytes\nSHA256 (a.qcow2) = " + digest + "\n"), digest);
    EXPECT_EQ(found("SHA512 (a.qcow2) = " + digest + digest + "\n"), digest + digest);
    EXPECT_EQ(found(std::string(64, 'A') + "  a.qcow2\n"), digest);
    EXPECT_EQ(found(digest + "  a.qcow2.old\n"), "none");
    EXPECT_EQ(found(digest + "  x/a.qcow2\n"), "none");
    EXPECT_EQ(found("d41d8cd98f00b204e9800998ecf8427e  a.qcow2\n"), "none") << "MD5";
    EXPECT_EQ(found(std::string(64, 'g') + "  a.qcow2\n"), "none");
    EXPECT_EQ(found("SHA256 (a.qcow2"), "none");
    EXPECT_EQ(found(") = (a.qcow2"), "none");
    EXPECT_EQ(found(""), "none");
}

TEST(Checksums, AreThoseOfTheFile) {
    const TemporaryDirectory directory;
    std::ofstream(directory.file("abc")) << "abc";
    const HeldSignals signals;
    const FileChecksums sums = checksums_of(directory.file("abc"), signals, {});
    EXPECT_EQ(sums.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_THAT(sums.sha512, StartsWith("ddaf35a193617abacc417349ae204131"));
    EXPECT_THAT(sums.sha512, SizeIs(128));
}

TEST(Catalogue, IsReadWithPlaces) {
    const auto images = parse_catalogue("/etc/c",
                                        "# first\n\n[one]\nurl = https://h/one.img\nformat = "
                                        "qcow2\nseed = on\n[two]\nurl=file:///two.raw\n");
    ASSERT_THAT(images, SizeIs(2));
    EXPECT_EQ(images[0].name, "one");
    EXPECT_EQ(images[0].format, "qcow2");
    ASSERT_THAT(images[0].settings, SizeIs(1));
    EXPECT_EQ(images[0].settings[0].place, "/etc/c:6");
    EXPECT_EQ(images[1].url, "file:///two.raw");

    const auto error = [](const std::string& text) {
        return error_of([&] { parse_catalogue("/etc/c", text); });
    };
    EXPECT_EQ(error("\xef\xbb\xbf[a]\r\nurl = https://h/x\r\n"), "none") << "Windows' editors";
    EXPECT_THAT(error("url = https://h/x\n"), HasSubstr("/etc/c:1: an image begins with its name"));
    EXPECT_THAT(error("[a]\n[a]\n"), HasSubstr("/etc/c:1: [a] has no url"));
    EXPECT_THAT(error("[a]\nurl = https://h/x\n[a]\n"), HasSubstr("/etc/c:3: there is a [a]"));
    EXPECT_THAT(error("[a b]\n"), HasSubstr("is not a name"));
    EXPECT_THAT(error("[a]\nurl = ftp://h/x\n"), HasSubstr("/etc/c:2: `ftp://h/x' is not like"));
    EXPECT_THAT(error("[a]\nurl = https://h/x\ndisk = y.raw\n"),
                HasSubstr("/etc/c:3: the image is the VM's first disk"));
    EXPECT_THAT(error("[a]\n\nformat = vdi\n"), HasSubstr("/etc/c:3: `vdi' is neither"));
}

// The one that is installed.
TEST(Catalogue, OfThisProjectIsSound) {
    const auto images = parse_catalogue(
        "images.conf", content_of(std::string(TAPGATE_SOURCE) + "/etc/images.conf"));
    EXPECT_GE(images.size(), 5U);
    for (const CatalogueImage& image : images) {
        EXPECT_THAT(image.url, StartsWith("https://")) << image.name;
        EXPECT_THAT(image.sums, StartsWith("https://")) << image.name;
        const std::string file = file_name_of(image.url);
        EXPECT_TRUE(file.ends_with(".qcow2") || image.format == "qcow2") << image.name;
        EXPECT_TRUE(describe_vm(VmName::parse("x").value(), image.settings).spec.seed)
            << image.name << " would let nobody in";
    }
}

TEST(Store, TakesTheFilesNameFromTheUrl) {
    EXPECT_EQ(file_name_of("https://h/a/b.qcow2?x=/y#/z"), "b.qcow2");
    EXPECT_EQ(file_name_of("https://h/a/"), "");
}

}  // namespace
}  // namespace tapgate
