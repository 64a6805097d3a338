// SPDX-License-Identifier: GPL-2.0-or-later
//
// A file that is there whole or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "launcher/base/files.h"
#include "launcher/base/unfinished_file.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::HasSubstr;

class Unfinished : public testing::Test {
  protected:
    [[nodiscard]] size_t files() const {
        return static_cast<size_t>(
            std::distance(std::filesystem::directory_iterator(directory_.path()), {}));
    }
    static unsigned mode_of(const std::string& path) {
        struct stat status {};
        EXPECT_EQ(stat(path.c_str(), &status), 0);
        return status.st_mode & 07777;
    }

    TemporaryDirectory directory_;
    const std::string target_ = directory_.path() + "/target";
};

TEST_F(Unfinished, IsNotThereBeforeItIsFinished) {
    {
        const UnfinishedFile file(target_);
        EXPECT_TRUE(write_all(file.create(0666).get(), "half"));
        EXPECT_FALSE(exists(target_));
        EXPECT_EQ(files(), 1U);
    }
    EXPECT_EQ(files(), 0U);
}

TEST_F(Unfinished, IsTheTargetThen) {
    {
        const UnfinishedFile file(target_);
        EXPECT_TRUE(write_all(file.create(0666).get(), "all"));
        file.finish();
    }
    EXPECT_EQ(content_of(target_), "all");
    EXPECT_EQ(mode_of(target_), 0600U);
    EXPECT_EQ(files(), 1U);
}

TEST_F(Unfinished, TakesTheTargetsPlaceOnlyWhenTold) {
    std::ofstream(target_) << "before";
    {
        const UnfinishedFile file(target_);
        EXPECT_TRUE(write_all(file.create(0640).get(), "after"));
        EXPECT_THAT(error_of([&] { file.finish(); }), HasSubstr("is there already"));
        EXPECT_EQ(content_of(target_), "before");
    }
    const UnfinishedFile file(target_);
    EXPECT_TRUE(write_all(file.create(0640).get(), "after"));
    file.replace();
    EXPECT_EQ(content_of(target_), "after");
    EXPECT_EQ(mode_of(target_), 0640U);
    EXPECT_EQ(files(), 1U);
}

TEST_F(Unfinished, WhatAKilledProcessLeftIsRemoved) {
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, nullptr, 0);
    const std::string left = target_ + ".part." + std::to_string(child);
    const std::string others = target_ + ".part." + std::to_string(getppid());
    const std::string no_pid = target_ + ".part.x";
    // In a container each run has the same number.
    const std::string own = target_ + ".part." + std::to_string(getpid());
    for (const std::string& path : {left, others, no_pid, own})
        std::ofstream(path) << "half";
    const UnfinishedFile file(target_);
    EXPECT_FALSE(exists(left));
    EXPECT_FALSE(exists(own));
    EXPECT_TRUE(exists(others));
    EXPECT_TRUE(exists(no_pid));
    // Nobody's link is written through.
    std::filesystem::create_symlink(directory_.path() + "/elsewhere", file.path());
    EXPECT_THAT(error_of([&] { static_cast<void>(file.create(0600)); }), HasSubstr("File exists"));
}

TEST_F(Unfinished, WhatAKilledChangeLeftGoesWithTheNextOne) {
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, nullptr, 0);
    std::ofstream(target_ + ".part." + std::to_string(child)) << "half";
    replace_file(target_, "all");
    EXPECT_EQ(content_of(target_), "all");
    EXPECT_EQ(files(), 1U);
}

TEST_F(Unfinished, ASignalLeavesNoOtherName) {
    for (unsigned i = 0; i < 20; i++) {
        const pid_t child = fork();
        if (child == 0) {
            for (;;)
                replace_file(target_, "all");
        }
        usleep(2000 + 97 * i);
        kill(child, SIGTERM);
        waitpid(child, nullptr, 0);
    }
    EXPECT_EQ(content_of(target_), "all");
    EXPECT_EQ(files(), 1U);
}

}  // namespace
}  // namespace tapgate
