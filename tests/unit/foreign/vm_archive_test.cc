// SPDX-License-Identifier: GPL-2.0-or-later
//
// The parts of what `tapgate export` writes; tests/system/export.sh has the whole of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "launcher/foreign/appliance/archived_vm.h"
#include "launcher/foreign/appliance/ovf.h"
#include "launcher/foreign/appliance/ovf_export.h"
#include "launcher/foreign/appliance/tar_archive.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "tests/unit/foreign/cases.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

std::vector<Setting> settings_in(const std::string& text) {
    return parse_vm_file("/vm/lab.conf", text);
}

size_t count(const std::string& text, const std::string& word) {
    size_t found = 0;
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
        found++;
    return found;
}

TEST(OvfExport, IsReadByOurOwnReader) {
    const VmSpec spec = describe_vm(lab, settings_in("memory = 3G\ncpus = 6\nmachine = pc\n"
                                                     "net = bridge:br-lab,mac=52:54:00:12:34:56\n"
                                                     "net = user,model=e1000e\n"))
                            .spec;
    const std::vector<OvfDisk> disks = {
        {.file = {"a.vmdk", 11}, .capacity = 1U << 30U, .bus = DiskBus::ide},
        {.file = {"b.vmdk", 12}, .capacity = 1U << 20U, .bus = DiskBus::ide},
        {.file = {"c.vmdk", 13}, .capacity = 1U << 20U, .bus = DiskBus::ide},
        {.file = {"d.vmdk", 14}, .capacity = 1U << 20U, .bus = DiskBus::virtio},
        {.file = {"e.vmdk", 15}, .capacity = 1U << 20U, .bus = DiskBus::scsi}};
    const std::string text = ovf_text(spec, owner, disks, {{"lab.conf", 9}});
    EXPECT_EQ(count(text, "IDE controller"), 2U) << "each has room for two";
    EXPECT_EQ(count(text, "SATA controller"), 1U);
    EXPECT_EQ(count(text, "SCSI controller"), 1U);
    EXPECT_THAT(text, HasSubstr(R"(<File ovf:href="lab.conf" ovf:id="other0" ovf:size="9")"));

    const Appliance back = read_ovf(text, "lab.ovf", {});
    EXPECT_EQ(back.translation.name, "lab");
    const auto& settings = back.translation.settings;
    EXPECT_THAT(settings, Contains(Pair("memory", "3072M")));
    EXPECT_THAT(settings, Contains(Pair("cpus", "6")));
    EXPECT_THAT(settings, Contains(Pair("machine", "pc")));
    EXPECT_THAT(settings, Contains(Pair("net", "bridge:br0,model=e1000,mac=52:54:00:12:34:56")));
    EXPECT_THAT(settings,
                Contains(Pair("net", "user,model=e1000e,mac=" + stable_mac(owner, lab, 1).str())));
    ASSERT_EQ(back.disks.size(), disks.size());
    for (size_t i = 0; i < disks.size(); i++) {
        EXPECT_EQ(back.disks[i].file, disks[i].file.name);
        EXPECT_EQ(back.disks[i].format, ImageFormat::vmdk);
        EXPECT_EQ(back.disks[i].bus, i < 3 ? DiskBus::ide : DiskBus::sata);
    }
}

TEST(OvfExport, SaysUefi) {
    const VmSpec spec = describe_vm(lab, settings_in("firmware = uefi\nnet = none\n")).spec;
    const Appliance back = read_ovf(ovf_text(spec, owner, {}, {}), "lab.ovf", {});
    EXPECT_THAT(back.translation.settings, Contains(Pair("firmware", "uefi")));
}

TEST(OvfExport, SaysSecureBoot) {
    const VmSpec spec = describe_vm(lab, settings_in("firmware = uefi-secure\nnet = none\n")).spec;
    const Appliance back = read_ovf(ovf_text(spec, owner, {}, {}), "lab.ovf", {});
    EXPECT_THAT(back.translation.settings, Contains(Pair("firmware", "uefi-secure")));
    EXPECT_THAT(back.translation.settings, Contains(Pair("net", "none")));
}

TEST(ArchivedVm, HasDisksByTheirMembers) {
    const std::string text = archived_vm_text(
        lab,
        settings_in("memory = 2G\ndisk = a,,b.raw,format=raw,bus=scsi,serial=S1\ncdrom = i.iso\n"
                    "disk = /seed\ndisk = c.qcow2,backing=/d.qcow2\n"),
        {"lab-disk0.qcow2", "", "lab-disk1.qcow2"});
    EXPECT_EQ(text,
              "# The VM lab of tapgate(1)\nmemory = 2G\ncdrom = /vm/i.iso\n"
              "disk = lab-disk0.qcow2,bus=scsi,serial=S1\ndisk = lab-disk1.qcow2\n");
    const ArchivedVm back = read_archived_vm(text, "/in/lab.tar:lab.conf");
    EXPECT_THAT(back.settings, ElementsAre(Pair("memory", "2G"), Pair("cdrom", "/vm/i.iso")));
    ASSERT_EQ(back.disks.size(), 2U);
    EXPECT_EQ(back.disks[0].file, "lab-disk0.qcow2");
    EXPECT_EQ(back.disks[1].format, ImageFormat::qcow2);
    EXPECT_THAT(back.disk_properties, ElementsAre("bus=scsi,serial=S1", ""));
}

TEST(ArchivedVm, TakesNoDiskFromElsewhere) {
    for (const char* const disk : {"/etc/passwd,format=raw", "../a.qcow2", "a.raw", "a/b.qcow2"}) {
        EXPECT_THAT(error_of([&] {
                        read_archived_vm("memory = 1G\ndisk = " + std::string(disk) + "\n",
                                         "/in/lab.tar:lab.conf");
                    }),
                    HasSubstr("/in/lab.tar:lab.conf:2: "))
            << disk;
    }
}

TEST(ArchivedVm, KnowsWhatReachesBeyondIt) {
    for (const auto& [key, value] :
         std::vector<std::pair<std::string, std::string>>{{"share", "/"},
                                                          {"cdrom", "/a"},
                                                          {"kernel", "/a"},
                                                          {"initrd", "/a"},
                                                          {"qemu-arg", "-S"},
                                                          {"on", "slurm"},
                                                          {"vnc-password-file", "/a"},
                                                          {"net", "user,hostfwd=tcp::1-:2"},
                                                          {"display", "vnc:public"},
                                                          {"display", "vnc:localhost:1"},
                                                          {"what-comes-later", "x"}})
        EXPECT_TRUE(reaches_beyond_vm(key, value)) << key;
    for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
             {"memory", "1G"}, {"net", "bridge:br0"}, {"display", "vnc"}, {"seed", "on"}})
        EXPECT_FALSE(reaches_beyond_vm(key, value)) << key;
}

UniqueFd new_file(const std::string& path) {
    return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

TEST(TarWriter, IsReadByTarAndByOurReader) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("a.tar");
    const std::string large(5000, 'x');
    std::ofstream(directory.file("large")) << large;
    unsigned pieces = 0;
    // As if a header's number ended there, and not at 8 GiB.
    TarWriter tar(new_file(path), path, 4096);
    tar.add("empty", "");
    tar.add("block", std::string(512, 'b'));
    tar.add_file("large", directory.file("large"), [&] { pieces++; });
    tar.add("last", "words\n");
    tar.close();
    EXPECT_GE(pieces, 1U);
    const std::vector<TarMember> members = tar_members(path);
    ASSERT_EQ(members.size(), 4U);
    EXPECT_EQ(members[2].name, "large");
    EXPECT_EQ(read_tar_member(path, members[0], 1), "");
    EXPECT_EQ(read_tar_member(path, members[1], 512), std::string(512, 'b'));
    EXPECT_EQ(read_tar_member(path, members[2], 5000), large);
    EXPECT_EQ(read_tar_member(path, members[3], 99), "words\n");
    const std::string command = "cd '" + directory.path() +
                                "' && mkdir out && tar -C out -xf a.tar && cmp large out/large && "
                                "[ \"$(cat out/last)\" = words ] && [ \"$(ls out | wc -l)\" = 4 ]";
    // NOLINTNEXTLINE(cert-env33-c): a command of the test's own
    EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(TarWriter, NamesWhatItsUserKnows) {
    const TemporaryDirectory directory;
    TarWriter tar(new_file(directory.file("a.tar.part.1")), "a.tar");
    EXPECT_EQ(error_of([&] { tar.add(std::string(101, 'n'), ""); }),
              "a.tar: a name of over 100 bytes");
    TarWriter full(UniqueFd(open("/dev/full", O_WRONLY | O_CLOEXEC)), "a.tar");
    EXPECT_EQ(error_of([&] { full.add("a", "b"); }), "a.tar: No space left on device");
}

}  // namespace
}  // namespace tapgate
