// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/base/program.h"
#include "launcher/image/clone.h"
#include "launcher/image/rename.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const VmName old = VmName::parse("old").value();
const VmName fresh = VmName::parse("fresh").value();
const VmName third = VmName::parse("other").value();
const Owner owner = {.machine_id = "m", .uid = 5};

class Rename : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* variable : {"XDG_CONFIG_HOME", "XDG_DATA_HOME"})
            setenv(variable, directory_.path().c_str(), 1);
        setenv("XDG_RUNTIME_DIR", directory_.file("run").c_str(), 1);
        fs::create_directories(directory_.file("tapgate/old"));
        fs::permissions(directory_.file("tapgate"), fs::perms::owner_all);
        fs::permissions(directory_.file("tapgate/old"), fs::perms::owner_all);
    }
    void TearDown() override {
        for (const char* variable : {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"})
            unsetenv(variable);
    }
    std::string data(const std::string& name) const { return directory_.file("tapgate/" + name); }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path) << text;
    }

  private:
    TemporaryDirectory directory_;
};

TEST_F(Rename, TakesAllAlongThatHangsOnTheName) {
    run_program({"qemu-img", "create", "-q", "-f", "qcow2", data("old/disk.qcow2"), "1M"});
    write(data("old/known_hosts"), "old ssh-ed25519 AAAA\nolder ssh-ed25519 BBBB\n");
    write(vm_file_path(old),
          "# The VM old of tapgate(1)\n# old stays here\ndisk = " + data("old/disk.qcow2") +
              "\nnet = bridge:br0,model=e1000\nnet = "
              "user,mac=52:54:00:00:00:09\n");
    rename_vm(old, fresh, owner);
    EXPECT_EQ(content_of(vm_file_path(fresh)),
              "# The VM fresh of tapgate(1)\n# old stays here\ndisk = " + data("fresh/disk.qcow2") +
                  "\nnet = bridge:br0,model=e1000,mac=" + stable_mac(owner, old, 0).str() +
                  "\nnet = user,mac=52:54:00:00:00:09\n");
    EXPECT_FALSE(has_vm_file(old));
    EXPECT_FALSE(fs::exists(data("old")));
    EXPECT_TRUE(fs::exists(data("fresh/disk.qcow2")));
    EXPECT_EQ(content_of(data("fresh/known_hosts")),
              "fresh ssh-ed25519 AAAA\nolder ssh-ed25519 BBBB\n");
    EXPECT_EQ(load_vm_file(fresh).spec.disks.at(0).path.str(), data("fresh/disk.qcow2"));
}

TEST_F(Rename, KeepsTheAddressOfTheAdapterThatNobodyNamed) {
    EXPECT_EQ(renamed_text("memory = 1G\n", old, fresh, owner),
              "memory = 1G\nnet = bridge:br0,mac=" + stable_mac(owner, old, 0).str() + "\n");
    EXPECT_EQ(renamed_text("net = none\n", old, fresh, owner), "net = none\n");
    // As Windows' editors write it.
    EXPECT_EQ(renamed_text("\xef\xbb\xbfnet = bridge:br0\r\n", old, fresh, owner),
              "net = bridge:br0,mac=" + stable_mac(owner, old, 0).str() + "\n");
}

TEST_F(Rename, TakesItOutOfItsLab) {
    EXPECT_EQ(renamed_text("# Made by `tapgate lab' for the lab o\n# The VM old of "
                           "tapgate(1)\nnet = none\n",
                           old, fresh, owner),
              "# The VM fresh of tapgate(1)\nnet = none\n");
}

TEST_F(Rename, ChangesNothingWhenItCannotBe) {
    const auto error = [](const VmName& from, const VmName& to) {
        return error_of([&] { rename_vm(from, to, owner); });
    };
    EXPECT_THAT(error(old, fresh), HasSubstr("no VM is called old"));
    write(vm_file_path(old), "disk = " + data("old/disk.qcow2") + "\n");
    write(vm_file_path(third), "net = none\n");
    EXPECT_THAT(error(old, third), HasSubstr("tapgate delete other"));
    fs::create_directories(data("fresh"));
    EXPECT_THAT(error(old, fresh), HasSubstr("an earlier VM of this name"));
    fs::remove(data("fresh"));
    // Clones know their base by its path.
    run_program({"qemu-img", "create", "-q", "-f", "qcow2", data("old/disk.qcow2"), "1M"});
    const VmName clone = VmName::parse("clone").value();
    clone_vm(old, clone, {});
    EXPECT_THAT(error(old, fresh), HasSubstr("clone"));
    // By its name, too, wherever its disk is.
    fs::rename(data("old/disk.qcow2"), data("elsewhere.qcow2"));
    write(vm_file_path(old), "disk = " + data("elsewhere.qcow2") + "\n");
    EXPECT_THAT(error(old, fresh), HasSubstr("clone"));
    fs::rename(data("elsewhere.qcow2"), data("old/disk.qcow2"));
    EXPECT_TRUE(has_vm_file(old));
    EXPECT_TRUE(fs::exists(data("old/disk.qcow2")));
    EXPECT_FALSE(has_vm_file(fresh));
    EXPECT_FALSE(fs::exists(data("fresh")));
    // No verb takes a directory that only its lock is in for a VM that is off.
    EXPECT_FALSE(fs::exists(vm_directory(fresh)));
}

}  // namespace
}  // namespace tapgate
