// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is read and made before a VM starts: images, firmware, other programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/base/error.h"
#include "launcher/image/disk_image.h"
#include "launcher/qemu/firmware.h"
#include "launcher/run/prepare_files.h"
#include "launcher/vm/description.h"
#include "launcher/vm/setting.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

std::string big_endian(std::uint64_t number, unsigned size) {
    std::string bytes;
    for (unsigned i = 0; i < size; i++)
        bytes.insert(bytes.begin(), static_cast<char>((number >> (8 * i)) & 0xff));
    return bytes;
}

// A qcow2's header, as docs/interop/qcow2.txt has it, and what it names.
std::string qcow2(const std::string& backing, const std::string& format, bool data_file = false) {
    std::string extensions;
    if (!format.empty()) {
        extensions = big_endian(0xe2792aca, 4) + big_endian(format.size(), 4) + format;
        extensions.resize((extensions.size() + 7) / 8 * 8);
    }
    extensions += big_endian(0, 8);
    const size_t offset = 104 + extensions.size();
    std::string header = "QFI\xfb" + big_endian(3, 4) +
                         big_endian(backing.empty() ? 0 : offset, 8) +
                         big_endian(backing.size(), 4) + big_endian(16, 4);
    header.resize(72);
    header += big_endian(data_file ? 4 : 0, 8);
    header.resize(100);
    return header + big_endian(104, 4) + extensions + backing;
}

class Prepare : public testing::Test {
  protected:
    std::string path(const std::string& name) const { return directory_.file(name); }
    std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name)) << text;
        chmod(path(name).c_str(), mode);
        return path(name);
    }
    VmSpec vm(const std::vector<std::pair<std::string, std::string>>& options) const {
        std::vector<Setting> settings;
        settings.reserve(options.size());
        for (const auto& [key, value] : options)
            settings.push_back(command_line_setting(key, value, directory_.path()));
        return describe_vm(VmName::parse("lab").value(), settings).spec;
    }
    std::string error_of_disk(const std::string& disk) const {
        std::string error = error_of([&] { check_images(vm({{"disk", disk}})); });
        const std::string here = directory_.path();
        for (size_t i = error.find(here); i != std::string::npos; i = error.find(here))
            error.replace(i, here.size(), "DIR");
        return error;
    }

  private:
    TemporaryDirectory directory_;
};

TEST_F(Prepare, WhatAQcow2NamesIsRead) {
    const Qcow2Names names = read_qcow2_names(write("a", qcow2("/b c", "raw", true)));
    EXPECT_EQ(names.backing, "/b c");
    EXPECT_EQ(names.backing_format, "raw");
    EXPECT_TRUE(names.has_data_file);
    EXPECT_EQ(read_qcow2_names(write("a", qcow2("", ""))).backing, "");
    EXPECT_THAT(error_of([&] { read_qcow2_names(write("a", qcow2("b", "").substr(0, 112))); }),
                HasSubstr("damaged"));
    EXPECT_THAT(error_of([&] { read_qcow2_names(write("a", "QFI\xfb")); }), HasSubstr("not a"));
}

TEST_F(Prepare, ABackingFileMustBeNamed) {
    write("base.raw", "");
    write("base.qcow2", qcow2("base.raw", "raw"));
    write("top.qcow2", qcow2("base.qcow2", "qcow2"));
    EXPECT_EQ(error_of_disk("top.qcow2"),
              "DIR/top.qcow2 has the backing file `DIR/base.qcow2', which the guest can read all "
              "of; if it may, say backing=DIR/base.qcow2");
    EXPECT_THAT(error_of_disk("top.qcow2,backing=base.qcow2"),
                HasSubstr("DIR/base.qcow2 has the backing file `DIR/base.raw'"));
    EXPECT_EQ(error_of_disk("top.qcow2,backing=base.qcow2,backing=./base.raw"), "none");
    EXPECT_EQ(error_of_disk("top.qcow2,backing=any"), "none");
}

TEST_F(Prepare, WhatIsNoFileIsRefused) {
    const std::string way_out = "; backing=any takes whatever the image names: only if you made it";
    for (const std::string name : {"nbd:localhost:1", R"(json:{"driver":"null-co"})",
                                   "http://localhost/x", "file:base.raw"}) {
        write("a.qcow2", qcow2(name, "raw"));
        EXPECT_EQ(error_of_disk("a.qcow2"),
                  std::string("DIR/a.qcow2 has a backing file that is no file: `")
                      .append(name)
                      .append("'")
                      .append(way_out));
    }
    write("a.qcow2", qcow2("", "", true));
    EXPECT_EQ(error_of_disk("a.qcow2"), "DIR/a.qcow2 has its data in another file" + way_out);
    write("base", "");
    write("a.qcow2", qcow2("base", ""));
    EXPECT_THAT(error_of_disk("a.qcow2,backing=base"), HasSubstr("qemu-img rebase -u -F FORMAT"));
    write("a.qcow2", qcow2("a.qcow2", "qcow2"));
    EXPECT_THAT(error_of_disk("a.qcow2,backing=a.qcow2"), HasSubstr("more than 64 backing files"));
}

TEST_F(Prepare, AnImageIsWhatItIsSaidToBe) {
    EXPECT_THAT(error_of_disk("none.qcow2"), HasSubstr("qemu-img create -f qcow2"));
    write("a.vmdk", qcow2("", ""));
    EXPECT_EQ(error_of_disk("a.vmdk"),
              "DIR/a.vmdk is no vmdk image: it looks like a qcow2 image; if it is one, say "
              "format=qcow2");
    write("b.qcow2", "MBR");
    EXPECT_THAT(error_of_disk("b.qcow2"), HasSubstr("a raw image, or a damaged one"));
    EXPECT_THAT(error_of_disk("/dev/null,format=raw"), HasSubstr("neither a file nor a block"));
    mkfifo(path("fifo").c_str(), 0600);
    EXPECT_THAT(error_of_disk("fifo,format=raw"), HasSubstr("neither a file nor a block"));
    write("c.raw", qcow2("", ""));
    EXPECT_THAT(check_images(vm({{"disk", "c.raw"}})),
                ElementsAre(HasSubstr("looks like a qcow2")));
    write("d.raw", "");
    EXPECT_THAT(check_images(vm({{"disk", "d.raw"}})), IsEmpty());
}

constexpr std::string_view descriptor = R"({
  "interface-types": ["uefi"], "features": [FEATURES],
  "mapping": {"device": "flash", "executable": {"filename": "DIR/code", "format": "raw"},
              "nvram-template": {"filename": "DIR/vars", "format": "qcow2"}},
  "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}]})";

class FirmwareSearch : public Prepare {
  protected:
    void add(const std::string& file, const std::string& code, const std::string& features = "") {
        std::string text(descriptor);
        text.replace(text.find("FEATURES"), 8, features);
        text.replace(text.find("DIR/code"), 8, write(code, ""));
        text.replace(text.find("DIR/vars"), 8, write("vars", ""));
        write(file, text);
    }
    std::string code(const std::string& firmware, const std::string& machine = "q35") {
        return find_uefi(vm({{"firmware", firmware}, {"machine", machine}}),
                         {path("own"), path("admin"), path("distribution")})
            .code.path;
    }
};

TEST_F(FirmwareSearch, TakesTheFirstThatFits) {
    add("distribution/40-secure.json", "secure", R"("secure-boot","enrolled-keys","requires-smm")");
    add("distribution/50-empty.json", "no-keys", R"("secure-boot","requires-smm")");
    add("distribution/60-plain.json", "plain");
    EXPECT_EQ(code("uefi"), path("plain"));
    EXPECT_EQ(code("uefi", "pc-q35-7.2"), path("plain"));
    EXPECT_EQ(code("uefi-secure"), path("secure"));
    EXPECT_THAT(error_of([&] { code("uefi", "pc"); }), HasSubstr("install the package ovmf"));
    add("admin/60-plain.json", "admins");
    EXPECT_EQ(code("uefi"), path("admins"));
    write("own/60-plain.json", "");
    EXPECT_THAT(error_of([&] { code("uefi"); }), HasSubstr("no UEFI firmware"));
    add("own/10-mine.json", "mine");
    EXPECT_EQ(code("uefi"), path("mine"));
    write("own/05-broken.json", "{\"features\": 3");
    EXPECT_EQ(code("uefi"), path("mine"));
    std::filesystem::remove(path("mine"));
    EXPECT_THAT(error_of([&] { code("uefi"); }),
                EndsWith("05-broken.json is no descriptor of a firmware"));
}

TEST_F(FirmwareSearch, TakesOneForTheVariablesThatThereAre) {
    setenv("XDG_DATA_HOME", path("data").c_str(), 1);
    const std::string variables = "data/tapgate/lab/uefi-variables.qcow2";
    const auto of_size = [](std::uint64_t bytes) {
        return qcow2("", "").replace(24, 8, big_endian(bytes, 8));
    };
    add("distribution/50-large.json", "large");
    std::string text = content_of(path("distribution/50-large.json"));
    text.replace(text.find("large"), 5, "small").replace(text.find("/vars"), 5, "/vars-small");
    write("distribution/60-small.json", text);
    write("small", "");
    write("vars", of_size(540672));
    write("vars-small", of_size(1000));
    EXPECT_EQ(code("uefi"), path("large"));
    write(variables, of_size(1000));
    EXPECT_EQ(code("uefi"), path("small"));
    write(variables, of_size(540672));
    EXPECT_EQ(code("uefi"), path("large"));
    write(variables, of_size(2048));
    EXPECT_THAT(
        error_of([&] { code("uefi"); }),
        HasSubstr(path(variables) + " are of 2 KiB, and the firmware of this host has 528 ("));
    const VmSpec uefi = vm({{"firmware", "uefi"}});
    const std::vector<std::string> directories = {path("distribution")};
    EXPECT_THAT(why_not_these_variables(uefi, 2048, directories), HasSubstr("of 2 KiB"));
    EXPECT_EQ(why_not_these_variables(uefi, 1000, directories), "");
    EXPECT_EQ(why_not_these_variables(uefi, 2048, {path("nowhere")}), "");
    // What is no qcow2 QEMU refuses with its own words.
    write(variables, "QFI");
    EXPECT_EQ(code("uefi"), path("large"));
    unsetenv("XDG_DATA_HOME");
}

TEST_F(FirmwareSearch, FlashIsAsLargeAsTheFileSays) {
    const std::string raw = write("raw", std::string(1000, 'x'));
    EXPECT_EQ(flash_size({.path = raw, .format = ImageFormat::raw}), 1000U);
    EXPECT_EQ(flash_size({.path = raw, .format = ImageFormat::qcow2}), std::nullopt);
    const std::string image =
        write("image", "12345" + qcow2("", "").replace(24, 8, big_endian(7, 8)));
    EXPECT_EQ(flash_size({.path = image, .format = ImageFormat::qcow2}, 5), 7U);
    EXPECT_EQ(flash_size({.path = path("none"), .format = ImageFormat::raw}), std::nullopt);
}

TEST_F(Prepare, AVncPasswordIsTheUsersAlone) {
    const auto error = [&](std::string_view password, mode_t mode) {
        write("pw", password, mode);
        return error_of([&] {
            prepare_files(vm({{"display", "vnc:localhost"}, {"vnc-password-file", "pw"}}), {});
        });
    };
    EXPECT_EQ(error("12345678", 0600), "none");
    EXPECT_THAT(error("12345678", 0640), HasSubstr("others can read"));
    EXPECT_THAT(error("1234\n", 0600), HasSubstr("printf"));
    EXPECT_THAT(error("123456789", 0600), HasSubstr("8 bytes at most"));
    EXPECT_THAT(error("", 0600), HasSubstr("printf"));
}

TEST_F(Prepare, NestedNeedsTheHostsKvm) {
    HostFacts host;
    host.accelerator = Accelerator::kvm;
    const auto error = [&] {
        return error_of([&] { prepare_files(vm({{"nested", "on"}}), host); });
    };
    EXPECT_THAT(error(), HasSubstr("neither kvm_intel nor kvm_amd"));
    host.nested_feature = "svm";
    EXPECT_THAT(error(), HasSubstr("modprobe kvm_amd nested=1"));
    host.nested_enabled = true;
    EXPECT_EQ(error(), "none");
    host.accelerator = Accelerator::tcg;
    EXPECT_THAT(prepare_files(vm({{"nested", "on"}}), host),
                ElementsAre("nested=on means nothing without KVM"));
}

}  // namespace
}  // namespace tapgate
