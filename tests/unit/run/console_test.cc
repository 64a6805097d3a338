// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "launcher/run/console.h"
#include "launcher/run/console_log.h"
#include "launcher/vm/state.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

TEST(TakeApart, PartsWhatIsForTheGuest) {
    EXPECT_EQ(take_apart("").leaves, 0U);
    EXPECT_EQ(take_apart("ls\r").text, "ls\r");
    EXPECT_EQ(take_apart("ls\r").leaves, 0U);
    const Typed typed = take_apart("ls\x1d-l\x1d");
    EXPECT_EQ(typed.text, "ls");
    EXPECT_EQ(typed.leaves, 2U);
    EXPECT_EQ(take_apart(std::string("\0\x03\x1c", 3)).text, std::string("\0\x03\x1c", 3));
}

class ConsoleLog : public testing::Test {
  protected:
    void SetUp() override {
        setenv("XDG_RUNTIME_DIR", directory_.path().c_str(), 1);
        ASSERT_EQ(mkdir(directory_.file("tapgate").c_str(), 0700), 0);
        ASSERT_EQ(mkdir(vm_directory(vm_).c_str(), 0700), 0);
        older_ = console_log_paths(vm_)[0];
        path_ = console_log_paths(vm_)[1];
    }
    void TearDown() override { unsetenv("XDG_RUNTIME_DIR"); }

    const TemporaryDirectory directory_;
    const VmName vm_ = *VmName::parse("lab");
    std::string older_;
    std::string path_;
};

TEST_F(ConsoleLog, StaysWhatItIsWhileItIsSmall) {
    limit_console_log(vm_);
    std::ofstream(path_) << "hello";
    limit_console_log(vm_);
    EXPECT_EQ(content_of(path_), "hello");
    EXPECT_FALSE(std::filesystem::exists(older_));
}

TEST_F(ConsoleLog, KeepsTheLastOfALot) {
    std::ofstream qemu(path_, std::ios::app);
    qemu << std::string(console_log_limit, 'x') << "the end" << std::flush;
    limit_console_log(vm_);
    qemu << "more" << std::flush;
    EXPECT_EQ(content_of(path_), "more");
    const std::string older = content_of(older_);
    EXPECT_EQ(older.size(), static_cast<size_t>(console_log_limit));
    EXPECT_TRUE(older.ends_with("xthe end"));
    remove_console_log(vm_);
    EXPECT_FALSE(std::filesystem::exists(older_) || std::filesystem::exists(path_));
}

// Who can write to the VM's directory is its user; but a file of another name is not ours to cut.
TEST_F(ConsoleLog, FollowsNoLink) {
    const std::string other = directory_.file("other");
    std::ofstream(other) << std::string(console_log_limit + 1, 'x');
    std::filesystem::create_symlink(other, path_);
    limit_console_log(vm_);
    EXPECT_EQ(std::filesystem::file_size(other), static_cast<size_t>(console_log_limit) + 1);
}

}  // namespace

}  // namespace tapgate
