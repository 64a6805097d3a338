// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's locks on images, taken here by descriptors of our own as QEMU takes them: a lock of
// another open file description is another's, whatever its process. tests/system/image_locks.sh
// asks QEMU's.
#include "launcher/image/lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/unique_fd.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::HasSubstr;

class ImageLock : public testing::Test {
  protected:
    ImageLock() { std::ofstream(image) << "an image"; }

    // Another that uses the image, and does not let others do what is in `unshared`.
    UniqueFd other(const std::vector<off_t>& used, const std::vector<off_t>& unshared = {}) {
        UniqueFd fd(open(image.c_str(), O_RDWR | O_CLOEXEC));
        const auto take = [&](off_t byte) {
            struct flock range {};
            range.l_type = F_RDLCK;
            range.l_whence = SEEK_SET;
            range.l_start = byte;
            range.l_len = 1;
            EXPECT_EQ(fcntl(fd.get(), F_OFD_SETLK, &range), 0);
        };
        for (const off_t permission : used)
            take(100 + permission);
        for (const off_t permission : unshared)
            take(200 + permission);
        return fd;
    }

    // What a VM's QEMU does with its disk: it reads, writes and resizes, and shares only reading.
    UniqueFd vm() { return other({0, 1, 3}, {1, 3}); }
    // And with a backing file.
    UniqueFd clone() { return other({0}, {1, 3}); }

    TemporaryDirectory directory;
    std::string image = directory.file("disk.qcow2");
};

TEST_F(ImageLock, TellsWhatOthersDo) {
    EXPECT_EQ(image_use(image), ImageUse::none);
    {
        const UniqueFd clone = this->clone();
        EXPECT_EQ(image_use(image), ImageUse::reading);
        const UniqueFd vm = this->vm();
        EXPECT_EQ(image_use(image), ImageUse::writing);
    }
    EXPECT_EQ(image_use(image), ImageUse::none);
    EXPECT_EQ(image_use(directory.file("missing")), ImageUse::none);
}

TEST_F(ImageLock, EachPermissionCounts) {
    for (const off_t permission : {0, 1, 2, 3}) {
        const UniqueFd user = other({permission});
        EXPECT_NE(image_use(image), ImageUse::none) << permission;
    }
    const UniqueFd only_unshared = other({}, {1});
    EXPECT_EQ(image_use(image), ImageUse::reading);
}

TEST_F(ImageLock, RefusesWithTheUser) {
    refuse_used_image(image);
    const UniqueFd vm = this->vm();
    const std::string text = error_of([&] { refuse_used_image(image); });
    EXPECT_THAT(text, HasSubstr(image + " is in use, by "));
    EXPECT_THAT(text, HasSubstr("end that first; nothing was done"));
}

TEST_F(ImageLock, ReadingGoesBesideReadersOnly) {
    {
        const UniqueFd clone = this->clone();
        const HeldImage held(image, HeldImage::For::reading);
        const HeldImage second(image, HeldImage::For::reading);
    }
    const UniqueFd vm = this->vm();
    EXPECT_THAT(error_of([&] { HeldImage(image, HeldImage::For::reading); }),
                HasSubstr("is in use"));
}

TEST_F(ImageLock, EndingGoesBesideNobody) {
    { const HeldImage held(image, HeldImage::For::ending); }
    const UniqueFd clone = this->clone();
    EXPECT_THAT(error_of([&] { HeldImage(image, HeldImage::For::ending); }),
                HasSubstr("is in use"));
}

TEST_F(ImageLock, NobodyBeginsMeanwhile) {
    // What QEMU looks for before it opens an image for writing: does another not share that?
    const auto may_write = [&] {
        const UniqueFd fd(open(image.c_str(), O_RDWR | O_CLOEXEC));
        struct flock range {};
        range.l_type = F_WRLCK;
        range.l_whence = SEEK_SET;
        range.l_start = 201;
        range.l_len = 1;
        EXPECT_EQ(fcntl(fd.get(), F_OFD_GETLK, &range), 0);
        return range.l_type == F_UNLCK;
    };
    EXPECT_TRUE(may_write());
    {
        const HeldImage held(image, HeldImage::For::reading);
        EXPECT_FALSE(may_write());
    }
    {
        const HeldImage held(image, HeldImage::For::ending);
        EXPECT_FALSE(may_write());
    }
    EXPECT_TRUE(may_write());
}

TEST_F(ImageLock, ALinksTargetStaysOthers) {
    const std::string link = directory.file("link");
    ASSERT_EQ(symlink(image.c_str(), link.c_str()), 0);
    const UniqueFd vm = this->vm();
    // Removing the link takes nothing from the VM ...
    const HeldImage held(link, HeldImage::For::ending);
    // ... and reading what it leads to does.
    EXPECT_THAT(error_of([&] { HeldImage(link, HeldImage::For::reading); }),
                HasSubstr("is in use"));
}

}  // namespace
}  // namespace tapgate
