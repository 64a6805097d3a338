// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the sockets of VMs are, and that nobody else can have put them there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "launcher/base/directories.h"
#include "launcher/base/files.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::HasSubstr;

// A variable of the environment, for as long as this lives.
class Variable {
  public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* const before = getenv(name))
            before_ = before;
        set(value);
    }
    ~Variable() { set(before_ ? before_->c_str() : nullptr); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

  private:
    void set(const char* value) {
        if (value == nullptr)
            unsetenv(name_);
        else
            setenv(name_, value, 1);
    }
    const char* name_;
    std::optional<std::string> before_;
};

mode_t mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
}

class RuntimeDirectory : public testing::Test {
  protected:
    TemporaryDirectory files_;
    const std::string base_ = files_.file("run");
    const Variable variable_{"XDG_RUNTIME_DIR", base_.c_str()};

    void SetUp() override { mkdir(base_.c_str(), 0700); }
    static std::string error() { return error_of(runtime_directory); }
};

TEST_F(RuntimeDirectory, IsPrivateFromTheStart) {
    const mode_t before = umask(0);
    EXPECT_EQ(runtime_directory(), base_ + "/tapgate");
    make_private_directory(runtime_directory());
    umask(before);
    EXPECT_EQ(mode_of(base_ + "/tapgate"), 0700U);
    EXPECT_EQ(error(), "none");
}

// What a login has there goes with the login, and its name may be another host's.
TEST_F(RuntimeDirectory, InAJobItIsTheHosts) {
    const Variable home("HOME", files_.path().c_str());
    std::array<char, HOST_NAME_MAX + 1> host{};
    ASSERT_EQ(gethostname(host.data(), host.size() - 1), 0);
    const Variable job("SLURM_JOB_ID", "4711");
    // salloc's shell on the login node has the number, too, and is no job.
    EXPECT_EQ(runtime_directory(), base_ + "/tapgate");
    const Variable node("SLURMD_NODENAME", "n1");
    EXPECT_EQ(runtime_directory(),
              files_.path() + "/.cache/tapgate/run/" + host.data() + "/tapgate");
    // And what was started there before is found.
    make_private_directory(base_ + "/tapgate");
    EXPECT_THAT(other_runtime_directories(), testing::Contains(base_ + "/tapgate"));
}

TEST_F(RuntimeDirectory, WhatOthersCanWriteToIsRefused) {
    for (const mode_t mode : {0770U, 0707U, 01777U}) {
        chmod(base_.c_str(), mode);
        EXPECT_THAT(error(), HasSubstr("others can write to it"));
    }
    chmod(base_.c_str(), 0755);
    EXPECT_EQ(error(), "none");
    mkdir((base_ + "/tapgate").c_str(), 0700);
    for (const mode_t mode : {0710U, 0701U, 0770U}) {
        chmod((base_ + "/tapgate").c_str(), mode);
        EXPECT_THAT(error(), HasSubstr("chmod 700"));
    }
}

TEST_F(RuntimeDirectory, ALinkIsRefused) {
    mkdir((base_ + "/elsewhere").c_str(), 0700);
    std::filesystem::create_symlink(base_ + "/elsewhere", base_ + "/tapgate");
    EXPECT_THAT(error(), HasSubstr("not a directory of yours"));
}

// Behind `su` it is another user's, and behind cron there may be none: an own one is taken then.
TEST_F(RuntimeDirectory, AnothersIsNotUsed) {
    const TemporaryDirectory home;
    const Variable own("HOME", home.path().c_str());
    const std::string fallback = [] {
        const Variable none("XDG_RUNTIME_DIR", nullptr);
        return runtime_directory();
    }();
    const Variable nowhere("XDG_RUNTIME_DIR", "/nonexistent/run");
    EXPECT_EQ(runtime_directory(), fallback);
    if (geteuid() != 0) {
        const Variable others("XDG_RUNTIME_DIR", "/usr");
        EXPECT_EQ(runtime_directory(), fallback);
        return;
    }
    const Variable again("XDG_RUNTIME_DIR", base_.c_str());
    mkdir((base_ + "/tapgate").c_str(), 0700);
    ASSERT_EQ(chown((base_ + "/tapgate").c_str(), 1, 1), 0);
    EXPECT_THAT(error(), HasSubstr("/tapgate is not a directory of yours"));
    ASSERT_EQ(chown(base_.c_str(), 1, 1), 0);
    EXPECT_EQ(runtime_directory(), fallback);
}

TEST(RuntimeBaseOfHost, IsBelowTheHomeAndPrivate) {
    const TemporaryDirectory home;
    const Variable variable("HOME", home.path().c_str());
    std::array<char, HOST_NAME_MAX + 1> name{};
    ASSERT_EQ(gethostname(name.data(), name.size() - 1), 0);
    const std::string base = runtime_base_of_host();
    EXPECT_EQ(base, home.path() + "/.cache/tapgate/run/" + name.data());
    const mode_t before = umask(002);
    make_private_directory(base + "/tapgate");
    umask(before);
    EXPECT_EQ(mode_of(base), 0700U);
    EXPECT_EQ(mode_of(home.path() + "/.cache/tapgate/run"), 0700U);
    const Variable used("XDG_RUNTIME_DIR", base.c_str());
    EXPECT_EQ(error_of(runtime_directory), "none");
}

}  // namespace

}  // namespace tapgate
