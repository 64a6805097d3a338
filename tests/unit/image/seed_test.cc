// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a seed tells a guest. That cloud images can read it is the system tests' to show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "launcher/image/iso_image.h"
#include "launcher/image/seed.h"
#include "launcher/vm/data_directory.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const VmName lab_1 = VmName::parse("lab_1").value();

class SeedFiles : public testing::Test {
  protected:
    void SetUp() override {
        setenv("XDG_CONFIG_HOME", path("config").c_str(), 1);
        setenv("XDG_DATA_HOME", path("data").c_str(), 1);
        setenv("XDG_RUNTIME_DIR", path("run").c_str(), 1);
    }
    void TearDown() override {
        unsetenv("XDG_CONFIG_HOME");
        unsetenv("XDG_DATA_HOME");
        unsetenv("XDG_RUNTIME_DIR");
    }
    std::string path(const std::string& name) const { return directory_.file(name); }
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name)) << text;
        return path(name);
    }
    static std::string text_of(const std::string& path) {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }

  private:
    TemporaryDirectory directory_;
};

TEST(Seed, UserDataIsJsonBehindItsFirstLine) {
    for (const char* name : {"alice", "no", "null", "y", "_x", "A.b-c"}) {
        const std::string text = user_data_of({name, {"ssh-ed25519 AAAA a: [b] #\"c\" \xff"}});
        ASSERT_THAT(text, StartsWith("#cloud-config\n"));
        const auto json = nlohmann::json::parse(text.substr(text.find('\n')));
        EXPECT_EQ(json["users"][0]["name"], name);
        EXPECT_THAT(json["users"][0]["ssh_authorized_keys"][0].get<std::string>(),
                    StartsWith("ssh-ed25519 AAAA a: [b] #\"c\" "));
    }
    for (const char* name : {"", "a b", "-x", "1a", "a:b", "a\nb", "\xc3\xa9"})
        EXPECT_THAT(error_of([&] { user_data_of({name, {}}); }), HasSubstr("cannot be a user's"));
}

TEST(Seed, AnotherContentIsAnotherInstance) {
    const auto id = [](const std::string& hostname, const std::string& user_data,
                       const std::string& network) {
        const Seed seed = make_seed(lab_1, hostname, user_data, network);
        const auto json = nlohmann::json::parse(seed.meta_data);
        EXPECT_EQ(json["local-hostname"], hostname);
        return json["instance-id"].get<std::string>();
    };
    EXPECT_EQ(id("a", "b", "c"), id("a", "b", "c"));
    EXPECT_NE(id("a", "b", "c"), id("x", "b", "c"));
    EXPECT_NE(id("a", "b", "c"), id("a", "x", "c"));
    EXPECT_NE(id("a", "b", "c"), id("a", "b", "x"));
    EXPECT_EQ(hostname_of(lab_1), "lab-1");
    for (const std::string name : {"", "a_b", "-a", "a-", "a..b", "a b"})
        EXPECT_THAT(error_of([&] { make_seed(lab_1, name, "", ""); }), HasSubstr("a hostname"));
}

TEST_F(SeedFiles, OnlyPublicKeysAreTaken) {
    EXPECT_THAT(read_public_keys(write("k", "# mine\n\nssh-ed25519 AAAA me\r\nssh-rsa BBBB\n")),
                ElementsAre("ssh-ed25519 AAAA me", "ssh-rsa BBBB"));
    EXPECT_THAT(error_of([&] {
                    read_public_keys(write("k", "-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n"));
                }),
                HasSubstr("is a private key"));
    EXPECT_THAT(error_of([&] { read_public_keys(write("k", "hello\n")); }),
                HasSubstr("is no public SSH key"));
    EXPECT_THAT(error_of([&] { read_public_keys(write("k", "\n")); }), HasSubstr("no public"));
    EXPECT_THAT(error_of([&] { own_public_keys(path("home")); }), HasSubstr("ssh-keygen"));
    write("home/.ssh/id_rsa.pub", "ssh-rsa BBBB\n");
    EXPECT_THAT(own_public_keys(path("home")), ElementsAre("ssh-rsa BBBB"));
}

TEST_F(SeedFiles, IsAttachedOnce) {
    const std::string file = write("config/tapgate/lab_1.conf", "# mine\nmemory = 2G");
    attach_seed(lab_1, make_seed(lab_1, "a", "b", ""));
    const std::string attached =
        "# mine\nmemory = 2G\ndisk = " + path("data/tapgate/lab_1/seed.iso") +
        ",format=raw,bus=virtio,readonly=on\n";
    EXPECT_EQ(text_of(file), attached);
    const std::string image = text_of(seed_path(lab_1));
    EXPECT_EQ(image.substr(0x8001, 5), "CD001");
    attach_seed(lab_1, make_seed(lab_1, "other", "b", "c"));
    EXPECT_EQ(text_of(file), attached);
    EXPECT_THAT(text_of(seed_path(lab_1)), HasSubstr("other"));

    // A machine without room for one more.
    std::string full = "machine = pc\n";
    for (int i = 0; i < 21; i++)
        full += "disk = /x.qcow2\n";
    write("config/tapgate/lab_1.conf", full);
    EXPECT_THAT(error_of([] { attach_seed(lab_1, make_seed(lab_1, "a", "b", "")); }),
                HasSubstr("has room for 22"));
    EXPECT_EQ(text_of(file), full);
}

TEST_F(SeedFiles, LeavesNoneThatNothingNames) {
    // Where a file is in the way of the one that is written beside it.
    const std::string file = write("config/tapgate/lab_1.conf", "memory = 2G\n");
    std::filesystem::create_directories(file + ".part." + std::to_string(getpid()));
    EXPECT_THAT(error_of([] { attach_seed(lab_1, make_seed(lab_1, "a", "b", "")); }),
                HasSubstr("lab_1.conf: "));
    EXPECT_FALSE(std::filesystem::exists(seed_path(lab_1)));
}

TEST(IsoImage, HoldsFilesOfAnySize) {
    const std::string image = iso_image("cidata", {{"a", ""}, {"b", std::string(5000, 'x')}});
    EXPECT_THAT(image, HasSubstr(std::string(5000, 'x')));
    EXPECT_EQ(image.size() % 2048, 0U);
}

}  // namespace
}  // namespace tapgate
