// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "launcher/base/text.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/options.h"
#include "launcher/vm/setting.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using namespace std::string_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const VmName lab = VmName::parse("lab").value();

Setting given(const std::string& key, const std::string& value) {
    return command_line_setting(key, value, "/here");
}

std::string error_of_option(const std::string& key, const std::string& value) {
    return error_of([&] { describe_vm(lab, {given(key, value)}); });
}

std::string error_of_file(std::string_view text) {
    return error_of([&] { describe_vm(lab, parse_vm_file("/etc/lab.conf", text)); });
}

// What an editor of Windows writes.
TEST(VmOptions, AByteOrderMarkAndCarriageReturnsMeanNothing) {
    EXPECT_EQ(parse_vm_file("/l.conf", "\xef\xbb\xbfmemory = 3G\r\n").at(0).value, "3G");
    EXPECT_EQ(error_of_file("\xef\xbb\xbf"
                            "cpus = 0\r\n"),
              "/etc/lab.conf:1: `0' is not a number from 1 to 255\n    cpus = 0\n           ^");
}

// What is no VM file.
TEST(VmOptions, OfALongLineAPartIsShown) {
    const std::string x(1000, 'x');
    EXPECT_EQ(error_of_file("cpus = 0" + x),
              "/etc/lab.conf:1: `0" + std::string(199, 'x') +
                  "...' is not a number from 1 to 255\n    cpus = 0" + std::string(152, 'x') +
                  "...\n           ^");
    EXPECT_THAT(error_of_file("cpus =" + std::string(500, ' ') + "0" + x),
                EndsWith("\n    ..." + std::string(80, ' ') + "0" + std::string(79, 'x') +
                         "...\n       " + std::string(80, ' ') + "^"));
}

TEST(VmOptions, TheStrongestSourceHasTheWholeOption) {
    std::vector<Setting> settings =
        parse_vm_file("/vm/lab.conf", "memory = 3G\ncpus=3\nmachine = pc\ndisk = f.raw\n");
    const auto environment = environment_settings(
        [](const std::string& name) -> const char* {
            return name == "TAPGATE_MEMORY" || name == "TAPGATE_CPUS" ? "2" : nullptr;
        },
        "/here");
    settings.insert(settings.end(), environment.begin(), environment.end());
    settings.push_back(given("memory", "7"));
    settings.push_back(given("memory", "1"));
    settings.push_back(given("disk", "a.raw"));
    settings.push_back(given("disk", "/b.raw"));

    const VmDescription vm = describe_vm(lab, settings);
    EXPECT_EQ(vm.spec.memory.mebibytes(), 1U);
    EXPECT_EQ(vm.spec.cpus.cpus(), 2U);
    EXPECT_EQ(vm.spec.machine.str(), "pc");
    ASSERT_EQ(vm.spec.disks.size(), 2U);
    EXPECT_EQ(vm.spec.disks[0].path.str(), "/here/a.raw");
    EXPECT_EQ(vm.spec.disks[1].path.str(), "/b.raw");
    EXPECT_EQ(vm.settings[0].place, "--memory");
    EXPECT_EQ(vm.settings[1].place, "TAPGATE_CPUS");
    EXPECT_EQ(vm.settings[2].place, "default");
    EXPECT_EQ(vm.settings[4].place, "/vm/lab.conf:3");
}

TEST(VmOptions, WithoutAnyTheDefaultsMakeAVm) {
    const VmSpec spec = describe_vm(lab, {}).spec;
    EXPECT_EQ(spec.memory.mebibytes(), 1024U);
    ASSERT_EQ(spec.nets.size(), 1U);
    EXPECT_EQ(std::get<BridgeNet>(spec.nets[0].link).bridge.str(), "br0");
    EXPECT_TRUE(describe_vm(lab, {given("net", "none")}).spec.nets.empty());
}

TEST(VmOptions, ABridgeMayHaveAFallback) {
    const VmSpec spec =
        describe_vm(lab, {given("net", "bridge:br0|user,model=e1000,hostfwd=tcp::0-:22"),
                          given("net", "bridge:br1")})
            .spec;
    EXPECT_EQ(std::get<BridgeNet>(spec.nets.at(0).link).bridge.str(), "br0");
    const auto net = fallen_back(spec.nets[0]);
    ASSERT_TRUE(net);
    EXPECT_EQ(net->model, NetModel::e1000);
    EXPECT_EQ(std::get<UserNet>(net->link).forwards.at(0).str(), "tcp:127.0.0.1:0-:22");
    EXPECT_FALSE(fallen_back(spec.nets.at(1)));
}

TEST(VmOptions, EachAdapterHasASlotOfItsOwn) {
    const VmSpec spec = describe_vm(lab, {given("machine", "pc"), given("net", "none"),
                                          given("net", "bridge:br0|user,slot=18"),
                                          given("net", "user"), given("net", "user,slot=19")})
                            .spec;
    EXPECT_EQ(spec.nets.at(0).slot, 18U);
    EXPECT_EQ(fallen_back(spec.nets.at(0))->slot, 18U);
    EXPECT_FALSE(spec.nets.at(1).slot);
    EXPECT_EQ(error_of<LauncherError>([] {
                  describe_vm(lab, {given("machine", "pc"), given("net", "user,slot=18"),
                                    given("net", "bridge:br0,slot=18")});
              }),
              "--net=bridge:br0,slot=18: another adapter is in slot 18");
}

TEST(VmOptions, APathInAFileStartsAtTheFile) {
    const VmDescription vm =
        describe_vm(lab, parse_vm_file("/vm/lab.conf", "disk = a,,b #1.img,format=raw"));
    EXPECT_EQ(vm.spec.disks.at(0).path.str(), "/vm/a,b #1.img");
}

TEST(VmOptions, AnEndingTellsTheFormatInCapitalsToo) {
    const VmSpec spec = describe_vm(lab, {given("disk", "/A.VMDK"), given("disk", "/B.Img")}).spec;
    EXPECT_EQ(spec.disks.at(0).format, ImageFormat::vmdk);
    EXPECT_EQ(spec.disks.at(1).format, ImageFormat::raw);
}

TEST(VmOptions, AnErrorInAFilePointsAtThePlace) {
    EXPECT_EQ(error_of_file("# VM\nmemmory = 2G\n"),
              "/etc/lab.conf:2: unknown key `memmory' (did you mean `memory'?)\n"
              "    memmory = 2G\n"
              "    ^");
    EXPECT_EQ(error_of_file("memory = 2X"),
              "/etc/lab.conf:1: not a memory size like 512M or 2G, from 1M to 16T\n"
              "    memory = 2X\n"
              "             ^");
    EXPECT_EQ(error_of_file("cpus=1\n\ncpus=2"),
              "/etc/lab.conf:3: `cpus' stands already in line 1\n"
              "    cpus=2\n"
              "    ^");
    EXPECT_EQ(error_of_file("memory"),
              "/etc/lab.conf:1: `memory' needs a `=' and a value: memory = SIZE\n"
              "    memory\n"
              "    ^");
    EXPECT_EQ(error_of_file("memory 2G"),
              "/etc/lab.conf:1: `memory 2G' needs a `=' and a value: memory = SIZE\n"
              "    memory 2G\n"
              "    ^");
    EXPECT_EQ(error_of_file("memory ="),
              "/etc/lab.conf:1: not a memory size like 512M or 2G, from 1M to 16T\n"
              "    memory =\n"
              "            ^");
    // What other files may have.
    EXPECT_EQ(error_of_file("memory = 2G   # default"),
              "/etc/lab.conf:1: not a memory size like 512M or 2G, from 1M to 16T; a comment has a "
              "line of its own\n"
              "    memory = 2G   # default\n"
              "             ^");
    EXPECT_EQ(
        error_of_file("memory = \"2G\""),
        "/etc/lab.conf:1: not a memory size like 512M or 2G, from 1M to 16T; quotes are a part "
        "of the value: leave them out\n"
        "    memory = \"2G\"\n"
        "             ^");
    EXPECT_EQ(error_of_file("[vm]"),
              "/etc/lab.conf:1: a VM's file has no sections, as `[vm]': leave this line out\n"
              "    [vm]\n"
              "    ^");
    EXPECT_EQ(error_of_file("\tcpus =\t\x1b[2J"),
              "/etc/lab.conf:1: `?[2J' is not a number from 1 to 255\n"
              "     cpus = ?[2J\n"
              "            ^");
    EXPECT_EQ(error_of_file("a\0b"s),
              "/etc/lab.conf:1: a NUL byte in the line\n"
              "    a?b\n"
              "    ^");
}

TEST(VmOptions, AnErrorOnTheCommandLineNamesTheOption) {
    const struct {
        std::string key, value, what;
    } wrong[] = {
        {"memory", "0", "not a memory size like 512M or 2G, from 1M to 16T"},
        {"memory", "99999999999999999999G", "not a memory size like 512M or 2G, from 1M to 16T"},
        {"cpus", "6,sockets=4", "sockets times cores times threads is not 6"},
        {"cpus", "2,cors=2",
         "unknown property `cors=2' (did you mean `cores'?); a comma that belongs to a name is "
         "written twice"},
        {"cpu", "host,id", "none"},
        {"cpu", "a=b", "not a CPU model like host or qemu64,+vmx"},
        {"machine", "q35,accel=tcg", "not q35, pc, or a version of theirs, like pc-q35-7.2"},
        {"disk", "/a,,b",
         "the name does not tell the image's format; say /a,,b,format=raw or /a,,b,format=qcow2 "
         "(`qemu-img info' tells which)"},
        {"disk", "a,b.raw",
         "unknown property `b.raw' (there are: format, bus, readonly, cache, discard, ssd, "
         "backing, serial); a comma that belongs to a name is written twice"},
        {"disk", "a.raw,bus=scsy",
         "`scsy' is none of virtio, scsi, sata, ide (did you mean `scsi'?)"},
        {"disk", "a.raw,ssd=on",
         "a virtio disk does not say whether it is an SSD; use bus=scsi, sata or ide"},
        {"disk", "a.raw,serial=a,,b",
         "`a,b' is not a serial number: 1 to 20 letters, digits, '.', '_', '-'"},
        {"disk", "a.raw,bus=sata,readonly=on",
         "a SATA or IDE disk cannot be read-only; use bus=virtio or bus=scsi"},
        {"disk", "a.raw,bus=ide", "machine q35 has no IDE: use bus=sata, or machine=pc"},
        {"disk", "\xff.raw", "the path is not UTF-8"},
        {"cdrom", "", "a path is missing"},
        {"share", "/a,tag=a b",
         "`a b' is not a tag: a letter, then letters, digits, '.', '_' and '-', 31 bytes at most"},
        {"share", "/a,mode=9p",
         "unknown property `mode=9p' (there are: tag, readonly, via); a comma that belongs to a "
         "name is "
         "written twice"},
        {"net", "bridge:br/0", "`br/0' cannot be a bridge's name"},
        {"net", "br0",
         "`br0' is none of bridge:NAME, bridge:NAME|user, user, none; for the bridge br0, write "
         "bridge:br0"},
        {"net", "a/b", "`a/b' is none of bridge:NAME, bridge:NAME|user, user, none"},
        {"net", "bridge:br0,queues=2,model=e1000", "only model=virtio has more than one queue"},
        {"net", "user,hostfwd=tcp:1-2", "`tcp:1-2' is not like tcp:127.0.0.1:2222-:22"},
        {"net", "bridge:br0,hostfwd=tcp::0-:22",
         "hostfwd= needs net=user; a guest on a bridge has an address of its own"},
        {"net", "bridge:br0,slot=1", "`1' is not a number from 2 to 31"},
        {"net", "bridge:br0,slot=18",
         "machine q35 has a port for each adapter: slot= is for machine=pc"},
        {"net", "bridge:br0|nat", "behind `|' can only be `user'"},
        {"boot", "disk,disk", "`disk' stands here twice"},
        {"boot", "cdrom", "the VM has none of these"},
        {"display", "vnc:localhost",
         "who can reach it has the VM's screen and keyboard: give it a password with "
         "vnc-password-file=PATH, or use vnc:unix"},
        {"display", "vnc:unix:1", "a VNC server on a socket has no number"},
        {"display", "vnc:public:99999", "`99999' is not a number from 0 to 59635"},
        {"display", "VNC", "`VNC' is none of none, vnc (did you mean `vnc'?)"},
        {"display", "vnc:", "`' is none of unix, localhost, public"},
        {"nested", "yes", "`yes' is none of auto, on, off"},
        {"disk", "a.raw,backing=", "a path is missing"},
        {"initrd", "/i", "an initrd needs a kernel: kernel=PATH"},
    };
    for (const auto& [key, value, what] : wrong) {
        const std::string place = "--" + key + "=" + shown(value) + ": ";
        EXPECT_EQ(error_of_option(key, value), what == "none" ? what : place + what);
    }
}

std::vector<std::string> words_of(std::string_view text, char separator) {
    std::vector<std::string> words;
    std::istringstream stream{std::string(text)};
    for (std::string word; std::getline(stream, word, separator);)
        words.push_back(word);
    return words;
}

TEST(VmOptions, AVmCanBeSlurmsJob) {
    EXPECT_FALSE(describe_vm(lab, {}).spec.slurm);
    EXPECT_FALSE(describe_vm(lab, {given("on", "here")}).spec.slurm);
    const auto place =
        describe_vm(lab, {given("on", "slurm,partition=vms,constraint=a,,b,exclusive")}).spec.slurm;
    ASSERT_TRUE(place);
    EXPECT_EQ(place->options,
              (std::vector<std::string>{"partition=vms", "constraint=a,b", "exclusive"}));
    EXPECT_THAT(error_of_option("on", "slrum"), HasSubstr("none of here, slurm"));
    EXPECT_THAT(error_of_option("on", "here,partition=vms"), HasSubstr("takes no options"));
    EXPECT_THAT(error_of_option("on", "slurm,--partition=vms"), HasSubstr("no option of sbatch's"));
    EXPECT_THAT(error_of_option("on", "slurm,job-name=x"), HasSubstr("tapgate itself says"));
    EXPECT_THAT(error_of_option("on", "slurm,mem=1G"), HasSubstr("memory and CPUs are the VM's"));
}

// What --help and the shells offer is what the parser knows, with more or less of a value behind.
TEST(VmOptions, WhatIsOfferedIsTaken) {
    using testing::AllOf;
    using testing::Not;
    const auto is_taken = [](const std::string& key, const std::string& value) {
        EXPECT_THAT(error_of_option(key, value),
                    AllOf(Not(HasSubstr("is none of")), Not(HasSubstr("unknown property"))));
    };
    for (const VmOption& shape : vm_options()) {
        const std::string key(shape.key);
        for (const std::string& value : words_of(shape.values, ' '))
            is_taken(key, value == "bridge:" ? value + "br0" : value);
        for (const std::string& property : words_of(shape.properties, ' ')) {
            const size_t equals = property.find('=');
            for (const std::string& word : words_of(property.substr(equals + 1), '|')) {
                std::string value = key == "disk" ? "/a.raw"
                                    : key == "net"
                                        ? property.starts_with("hostfwd") ? "user" : "bridge:br0"
                                        : "4";
                value.append(",").append(property, 0, equals + 1).append(word);
                is_taken(key, value);
            }
        }
    }
}

TEST(VmOptions, AVmFileReadsBackAsWhatWasWritten) {
    const std::vector<Setting> settings = {
        command_line_setting("disk", "a,,b.raw", "/x,y"),
        given("disk", "o.qcow2,backing=b.qcow2,backing=/c"), given("disk", "/p.qcow2,backing=any"),
        given("append", "root=/dev/vda # quiet"), given("kernel", "/k")};
    const std::string text = vm_file_text(lab, settings);
    EXPECT_EQ(text,
              "# The VM lab of tapgate(1)\n"
              "disk = /x,,y/a,,b.raw\n"
              "disk = /here/o.qcow2,backing=/here/b.qcow2,backing=/c\n"
              "disk = /p.qcow2,backing=any\n"
              "append = root=/dev/vda # quiet\n"
              "kernel = /k\n");
    const VmSpec spec = describe_vm(lab, parse_vm_file("/lab.conf", text)).spec;
    EXPECT_EQ(spec.disks.at(0).path.str(), "/x,y/a,b.raw");
    EXPECT_EQ(spec.append, "root=/dev/vda # quiet");
    EXPECT_EQ(
        error_of([] { vm_file_text(lab, {given("append", "a\nmemory = 1")}); }),
        "--append=a?memory = 1: a line break, or a blank at an end, cannot stand in a VM file");
}

}  // namespace
}  // namespace tapgate
