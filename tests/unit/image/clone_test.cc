// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clones, their bases and what protects these.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "launcher/base/program.h"
#include "launcher/base/sha256.h"
#include "launcher/image/base_image.h"
#include "launcher/image/clone.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/removal.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

const VmName base = VmName::parse("base").value();
const VmName lab = VmName::parse("lab").value();
const VmName sibling = VmName::parse("other").value();

class Clone : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* variable : {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"})
            setenv(variable, directory_.path().c_str(), 1);
        setenv("XDG_RUNTIME_DIR", path("run").c_str(), 1);
        std::ofstream(path("disk.raw")) << std::string(4096, 'x');
        describe(base, "disk = " + path("disk.raw") + "\n");
    }
    void TearDown() override {
        for (const char* variable :
             {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"})
            unsetenv(variable);
    }

    std::string path(const std::string& name) const { return directory_.file(name); }
    std::string data(const std::string& name) const { return path("tapgate/" + name); }
    void describe(const VmName& name, const std::string& text) const {
        fs::create_directories(path("tapgate"));
        std::ofstream(vm_file_path(name)) << text;
    }
    static std::string text_of(const VmName& name) {
        std::ostringstream text;
        text << std::ifstream(vm_file_path(name)).rdbuf();
        return text.str();
    }
    mode_t mode_of(const std::string& name) const {
        struct stat status {};
        stat(path(name).c_str(), &status);
        return status.st_mode & 0777;
    }
    static std::string starts(const VmName& name) {
        return error_of([&] {
            const VmSpec spec = load_vm_file(name).spec;
            refuse_written_base(spec);
            check_bases(spec);
            check_images(spec);
        });
    }

  private:
    TemporaryDirectory directory_;
};

TEST_F(Clone, StandsOnItsBase) {
    clone_vm(base, lab, {});
    const Qcow2Names names = read_qcow2_names(data("lab/disk.qcow2"));
    EXPECT_EQ(names.backing, path("disk.raw"));
    EXPECT_EQ(names.backing_format, "raw");
    const auto record = read_base_record(data("lab/disk.qcow2")).value();
    EXPECT_EQ(record.vm, "base");
    EXPECT_EQ(record.files.at(0).sha256, hex_text(sha256(std::string(4096, 'x'))));
    EXPECT_EQ(starts(lab), "none");
    EXPECT_EQ(mode_of("tapgate/lab/disk.qcow2"), 0600U);
}

TEST_F(Clone, HasTheSettingsOfItsBaseLessWhatIsUnique) {
    std::ofstream(path("a,b.raw")) << "y";
    describe(base,
             "memory = 2G\ncpus = 2\nmachine = pc-q35-7.2\n"
             "disk = disk.raw,serial=abc\n"
             "disk = a,,b.raw,readonly=on\n"
             "net = bridge:br0,mac=52:54:00:00:00:01,model=e1000\n"
             "net = user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp::0-:80\n"
             "display = vnc:unix\n");
    fs::copy(path("disk.raw"), data("disk.raw"));
    fs::copy(path("a,b.raw"), data("a,b.raw"));
    const auto notes = clone_vm(base, lab, {command_line_setting("memory", "4G", "/")});
    EXPECT_EQ(text_of(lab),
              "# The VM lab of tapgate(1)\nmemory = 4G\ncpus = 2\nmachine = pc-q35-7.2\n"
              "disk = " +
                  data("lab/disk.qcow2") + ",serial=abc,format=qcow2,backing=" + data("disk.raw") +
                  "\n" + "disk = " + data("a,,b.raw") +
                  ",readonly=on\n"
                  "net = bridge:br0,model=e1000\n"
                  "net = user,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp::0-:80\n"
                  "display = vnc:unix\n");
    EXPECT_THAT(notes, Contains(HasSubstr("not 52:54:00:00:00:01")));
    EXPECT_THAT(notes, Contains(HasSubstr("2222")));
    EXPECT_EQ(mode_of("tapgate/a,b.raw") & 0200U, 0200U);
}

TEST_F(Clone, LeavesNothingWhenItFails) {
    describe(lab, "memory = 1G\n");
    EXPECT_THAT(error_of([&] { clone_vm(base, lab, {}); }), HasSubstr("of this name already"));
    fs::remove(vm_file_path(lab));

    fs::create_directories(data("lab"));
    std::ofstream(data("lab/disk.qcow2")) << "somebody's";
    EXPECT_THAT(error_of([&] { clone_vm(base, lab, {}); }), HasSubstr("an earlier VM"));
    EXPECT_EQ(fs::file_size(data("lab/disk.qcow2")), 10U);
    fs::remove_all(data("lab"));

    // The sibling disk fails, the first is there already.
    describe(base, "disk = " + path("disk.raw") + "\ndisk = " + path("none.raw") + "\n");
    EXPECT_THAT(error_of([&] { clone_vm(base, lab, {}); }), HasSubstr("no such image"));

    EXPECT_THAT(
        error_of([&] { clone_vm(base, lab, {command_line_setting("disk", "x.raw", "/")}); }),
        HasSubstr("a clone's disks are those of base"));
    EXPECT_FALSE(has_vm_file(lab));
    EXPECT_EQ(mode_of("disk.raw") & 0200U, 0200U);
    for (const auto& entry : fs::directory_iterator(path("tapgate")))
        EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("lab")));
}

TEST_F(Clone, WhatAKilledOneLeftGoes) {
    const std::string own = ".lab." + std::to_string(getpid());
    for (const std::string& name : {std::string(".lab.4194305"), std::string(".lab.1x"),
                                    std::string("lab.4194305"), "." + own})
        fs::create_directories(data(name));
    // What is young may be made just now, on another host of this home, which has other processes.
    fs::create_directories(data(".lab.4194306"));
    fs::last_write_time(data(".lab.4194305"),
                        fs::file_time_type::clock::now() - std::chrono::hours(25));
    clone_vm(base, sibling, {});
    EXPECT_FALSE(fs::exists(data(".lab.4194305")));
    EXPECT_TRUE(fs::exists(data(".lab.4194306")));
    EXPECT_TRUE(fs::exists(data(".lab.1x")));
    EXPECT_TRUE(fs::exists(data("lab.4194305")));
    EXPECT_TRUE(fs::exists(data("." + own)));
}

TEST_F(Clone, NeedsABaseThatStandsStill) {
    const UniqueFd lock = lock_vm(base);
    EXPECT_THAT(error_of([&] { lock_vm(base, std::chrono::milliseconds(20)); }),
                HasSubstr("another tapgate"));
}

TEST_F(Clone, ABaseIsNotWrittenTo) {
    std::ofstream(path("disk.raw")) << std::string(4096, 'y');
    const mode_t before = mode_of("disk.raw");
    clone_vm(base, lab, {});
    EXPECT_EQ(mode_of("disk.raw") & 0222U, 0U);
    clone_vm(base, sibling, {});
    EXPECT_THAT(starts(base), HasSubstr("lab, other"));
    EXPECT_THAT(starts(base), HasSubstr("--snapshot=on"));
    describe(base, "disk = " + path("disk.raw") + "\nsnapshot = on\n");
    EXPECT_EQ(starts(base), "none");
    EXPECT_THAT(error_of([&] { plan_removal(base, OwnImages::stay); }), HasSubstr("lab, other"));

    remove_vm(lab, plan_removal(lab, OwnImages::go));
    EXPECT_EQ(mode_of("disk.raw") & 0222U, 0U);
    EXPECT_THAT(remove_vm(sibling, plan_removal(sibling, OwnImages::go)),
                ElementsAre(HasSubstr("disk.raw")));
    EXPECT_EQ(mode_of("disk.raw"), before);
    EXPECT_EQ(starts(base), "none");
}

TEST_F(Clone, ProtectsTheVmThatItIsOfAndNoOtherWithTheImage) {
    describe(sibling, "disk = " + path("disk.raw") + "\n");
    clone_vm(base, lab, {});
    EXPECT_THAT(starts(sibling), HasSubstr("lab"));
    remove_vm(sibling, plan_removal(sibling, OwnImages::go));
    EXPECT_FALSE(has_vm_file(sibling));
    EXPECT_EQ(mode_of("disk.raw") & 0222U, 0U);
    EXPECT_EQ(starts(lab), "none");
    EXPECT_THAT(error_of([&] { plan_removal(base, OwnImages::stay); }), HasSubstr("lab"));
}

TEST_F(Clone, AnOverlayThatIsLeftStillProtectsItsBase) {
    clone_vm(base, lab, {});
    remove_vm(lab, plan_removal(lab, OwnImages::stay));
    EXPECT_THAT(starts(base), HasSubstr(data("lab/disk.qcow2")));
}

TEST_F(Clone, AChangedBaseIsSeen) {
    clone_vm(base, lab, {});
    const std::string copy = path("copy.raw");
    fs::copy(path("disk.raw"), copy);
    fs::remove(path("disk.raw"));
    EXPECT_THAT(starts(lab), HasSubstr("No such file"));
    fs::copy(copy, path("disk.raw"));
    EXPECT_THAT(starts(lab), HasSubstr("has changed"));
    EXPECT_THAT(starts(lab), HasSubstr("tapgate reset --to-base lab"));
    // The same content: taken as it is.
    EXPECT_TRUE(verify_bases(lab).at(0).same);
    EXPECT_EQ(starts(lab), "none");

    chmod(path("disk.raw").c_str(), 0600);
    std::ofstream(path("disk.raw")) << std::string(4096, 'z');
    EXPECT_THAT(starts(lab), HasSubstr("has changed"));
    EXPECT_FALSE(verify_bases(lab).at(0).same);
    EXPECT_THAT(starts(lab), HasSubstr("has changed"));
    reset_to_base(lab);
    EXPECT_EQ(starts(lab), "none");
    EXPECT_EQ(mode_of("disk.raw") & 0222U, 0U);
}

TEST_F(Clone, AnAlteredOverlayIsSeen) {
    clone_vm(base, lab, {});
    std::ofstream(path("secret.raw")) << "secret";
    ASSERT_EQ(run_program({"qemu-img", "rebase", "-u", "-F", "raw", "-b", path("secret.raw"),
                           data("lab/disk.qcow2")})
                  .exit_code,
              0);
    EXPECT_THAT(starts(lab), HasSubstr("has another base than"));
    reset_to_base(lab);
    EXPECT_EQ(starts(lab), "none");
}

TEST_F(Clone, OfAClone) {
    clone_vm(base, lab, {});
    clone_vm(lab, sibling, {});
    EXPECT_EQ(starts(sibling), "none");
    EXPECT_EQ(read_base_record(data("other/disk.qcow2"))->files.size(), 2U);
    EXPECT_THAT(starts(lab), HasSubstr("other"));
    EXPECT_THAT(error_of([&] { reset_to_base(lab); }), HasSubstr("other"));
    EXPECT_THAT(error_of([&] { reset_to_base(base); }), HasSubstr("is not a clone"));
    reset_to_base(sibling);
    EXPECT_EQ(read_qcow2_names(data("other/disk.qcow2")).backing, data("lab/disk.qcow2"));
}

TEST_F(Clone, ADamagedRecordIsNoLicence) {
    clone_vm(base, lab, {});
    for (const char* text :
         {"", "{", R"({"vm": 1})", R"({"vm":"base","format":"raw","files":[]})"}) {
        std::ofstream(data("lab/disk.qcow2.base")) << text;
        EXPECT_THAT(starts(lab), HasSubstr("is damaged")) << text;
    }
}

}  // namespace
}  // namespace tapgate
