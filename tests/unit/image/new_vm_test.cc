// SPDX-License-Identifier: GPL-2.0-or-later
//
// VMs made of images that are nobody's VM.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/base/program.h"
#include "launcher/image/base_image.h"
#include "launcher/image/clone.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/new_vm.h"
#include "launcher/image/overlay.h"
#include "launcher/image/seed.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const VmName web = VmName::parse("web").value();
const VmName second = VmName::parse("second").value();

class New : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* variable : {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"}) {
            const char* const before = getenv(variable);
            before_.emplace_back(variable, before == nullptr ? "" : before);
            setenv(variable, directory_.path().c_str(), 1);
        }
        setenv("XDG_RUNTIME_DIR", path("run").c_str(), 1);
        run_program({"qemu-img", "create", "-q", "-f", "qcow2", path("golden.qcow2"), "8M"});
        fs::permissions(path("golden.qcow2"), fs::perms(0444));
        run_program({"qemu-img", "create", "-q", "-f", "raw", path("old.img"), "8M"});
    }
    void TearDown() override {
        for (const auto& [variable, value] : before_)
            value.empty() ? unsetenv(variable) : setenv(variable, value.c_str(), 1);
        unsetenv("XDG_RUNTIME_DIR");
    }

    std::string path(const std::string& name) const { return directory_.file(name); }
    std::string data(const std::string& name) const { return path("tapgate/" + name); }
    Setting image(const std::string& value) const {
        return command_line_setting("disk", value, directory_.path());
    }
    static std::uint64_t virtual_size(const std::string& image) {
        const ProgramResult info = run_program({"qemu-img", "info", image});
        const size_t at = info.output.find(" (");
        return std::stoull(info.output.substr(at + 2));
    }

  private:
    TemporaryDirectory directory_;
    std::vector<std::pair<const char*, std::string>> before_;
};

TEST_F(New, IsAnOverlayOverAnImageThatStaysAsItIs) {
    const std::string before = content_of(path("golden.qcow2"));
    EXPECT_EQ(make_vm({web, image("golden.qcow2"), {}, {}}).size(), 0U);
    make_vm({second, image("golden.qcow2"), 64ULL << 20, {}});
    EXPECT_EQ(read_qcow2_names(data("web/disk.qcow2")).backing, path("golden.qcow2"));
    EXPECT_EQ(virtual_size(data("web/disk.qcow2")), 8ULL << 20);
    EXPECT_EQ(virtual_size(data("second/disk.qcow2")), 64ULL << 20);
    EXPECT_EQ(content_of(path("golden.qcow2")), before);
    EXPECT_EQ(dependents_of(path("golden.qcow2")).size(), 2U);
    EXPECT_THAT(content_of(vm_file_path(web)),
                HasSubstr("disk = " + data("web/disk.qcow2") +
                          ",format=qcow2,backing=" + path("golden.qcow2") + "\n"));
    check_bases(load_vm_file(web).spec);
    // And it is protected as a clone's base is, and gone back to.
    fs::permissions(path("golden.qcow2"), fs::perms(0644));
    std::ofstream(path("golden.qcow2"), std::ios::app) << "x";
    EXPECT_THAT(error_of([] { check_bases(load_vm_file(web).spec); }), HasSubstr("has changed"));
    EXPECT_EQ(reset_to_base(web).size(), 1U);
    check_bases(load_vm_file(web).spec);
}

TEST_F(New, BesideACdromIsAnEmptyDisk) {
    std::ofstream(path("install.iso")) << std::string(65536, '\0');
    make_vm({web, command_line_setting("cdrom", path("install.iso"), "/"), {}, {}});
    EXPECT_EQ(virtual_size(data("web/disk.qcow2")), default_disk_size);
    EXPECT_EQ(read_qcow2_names(data("web/disk.qcow2")).backing, "");
    const VmSpec spec = load_vm_file(web).spec;
    EXPECT_EQ(spec.disks.size(), 1U);
    EXPECT_EQ(spec.cdroms.at(0).str(), path("install.iso"));
}

TEST_F(New, LeavesNothingWhenItFails) {
    const auto error = [&](const Setting& from, std::optional<std::uint64_t> size = {}) {
        return error_of([&] { make_vm({web, from, size, {}}); });
    };
    EXPECT_THAT(error(image("nothing.qcow2")), HasSubstr("there is no such image"));
    EXPECT_THAT(error(image("golden.qcow2"), 1ULL << 20), HasSubstr("has a disk of 8 MiB"));
    fs::copy(path("golden.qcow2"), path("ubuntu.img"));
    EXPECT_THAT(error(image("ubuntu.img")),
                HasSubstr("say " + path("ubuntu.img") + ",format=qcow2"));
    run_program({"qemu-img", "create", "-q", "-f", "vdi", path("a.vdi"), "1M"});
    EXPECT_THAT(error(image("a.vdi")), HasSubstr("tapgate import"));
    // It names a file that nobody has named here.
    run_program({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", path("old.img"),
                 path("trap.qcow2")});
    EXPECT_THAT(error(image("trap.qcow2")), HasSubstr("has the backing file"));
    EXPECT_THAT(error(image("golden.qcow2,bus=ide")), HasSubstr("has no IDE"));
    EXPECT_FALSE(has_vm_file(web));
    EXPECT_FALSE(fs::exists(data("web")));
    if (fs::exists(path("tapgate"))) {
        for (const auto& entry : fs::directory_iterator(path("tapgate")))
            ADD_FAILURE() << "left: " << entry.path();
    }
    EXPECT_EQ(fs::status(path("old.img")).permissions() & fs::perms(0200), fs::perms(0200));

    make_vm({web, image("old.img"), {}, {}});
    EXPECT_THAT(error(image("golden.qcow2")), HasSubstr("tapgate delete web"));
}

// seed=on: each has its own, made at the start, and again when what it says is another thing.
TEST_F(New, HasASeedOfItsOwn) {
    make_vm({web, image("golden.qcow2"), {}, {command_line_setting("seed", "on", "/")}});
    clone_vm(web, second, {});
    EXPECT_THAT(content_of(vm_file_path(second)), HasSubstr("\nseed = on\n"));
    const VmSpec spec = load_vm_file(second).spec;
    EXPECT_EQ(spec.disks.size(), 2U);
    EXPECT_EQ(spec.disks.back().path.str(), seed_path(second));
    EXPECT_TRUE(spec.disks.back().read_only);
    EXPECT_EQ(error_of([&] { check_images(spec); }), "none") << "it is made at the start";

    EXPECT_THAT(error_of([] { refresh_seed(second); }), HasSubstr("ssh-keygen"));
    fs::create_directories(path(".ssh"));
    std::ofstream(path(".ssh/id_ed25519.pub")) << "ssh-ed25519 AAAA me\n";
    refresh_seed(second);
    const std::string seed = content_of(seed_path(second));
    EXPECT_THAT(seed, HasSubstr("\"local-hostname\": \"second\""));
    EXPECT_THAT(seed, HasSubstr("ssh-ed25519 AAAA me"));
    refresh_seed(second);
    EXPECT_EQ(content_of(seed_path(second)), seed);
    std::ofstream(path(".ssh/id_ed25519.pub")) << "ssh-ed25519 BBBB me\n";
    refresh_seed(second);
    EXPECT_THAT(content_of(seed_path(second)), HasSubstr("ssh-ed25519 BBBB me"));

    // What `tapgate seed` says counts from then on.
    attach_seed(second, make_seed(second, "host", user_data_of({"bob", {"ssh-rsa A"}}), {}));
    EXPECT_FALSE(load_vm_file(second).spec.seed);
    EXPECT_EQ(load_vm_file(second).spec.disks.size(), 2U);
    EXPECT_THAT(content_of(seed_path(second)), HasSubstr("\"host\""));
}

// To move it away would take the disk of the one that has come first.
TEST_F(New, SaysThatAnotherOfTheNameHasComeFirst) {
    make_vm({web, image("golden.qcow2"), {}, {}});
    NewDirectory late(web);
    EXPECT_THAT(error_of([&] { late.move(); }), HasSubstr("another VM of this name"));
    EXPECT_TRUE(fs::exists(data("web/disk.qcow2")));
    fs::remove(vm_file_path(web));
    EXPECT_THAT(error_of([&] { late.move(); }), HasSubstr("tapgate delete --disks "));
}

}  // namespace
}  // namespace tapgate
