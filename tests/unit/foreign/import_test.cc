// SPDX-License-Identifier: GPL-2.0-or-later
//
// What importers read: descriptors of vmdk images, tar archives, OVF, libvirt domains.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/base/confinement.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/program.h"
#include "launcher/foreign/appliance/files.h"
#include "launcher/foreign/appliance/ovf.h"
#include "launcher/foreign/appliance/tar_archive.h"
#include "launcher/foreign/domain/domain_xml.h"
#include "launcher/image/vmdk_descriptor.h"
#include "launcher/vm/description.h"
#include "tests/prerequisite.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

// --- vmdk ---------------------------------------------------------------------------------------

std::vector<std::string> extents(const std::string& line) {
    return parse_vmdk_descriptor(
        "# Disk DescriptorFile\nversion=1\n\nddb.adapterType = \"ide\"\n" + line + "\n", "d.vmdk");
}

TEST(VmdkDescriptor, Extents) {
    EXPECT_THAT(extents("RW 100 SPARSE \"a b.vmdk\""), ElementsAre("a b.vmdk"));
    EXPECT_THAT(extents("RW 100 FLAT \"a-f001.vmdk\" 0\r\n  RDONLY 5 FLAT \"b\" 12"),
                ElementsAre("a-f001.vmdk", "b"));
    EXPECT_THAT(extents("RW 100 ZERO"), IsEmpty());
}

TEST(VmdkDescriptor, WhatIsRefused) {
    for (const char* const line :
         {R"(RW 100 FLAT "../x" 0)", R"(RW 100 FLAT "/etc/shadow" 0)", R"(RW 100 FLAT "nbd:x" 0)",
          R"(RW 100 FLAT "a\\b" 0)", R"(RW 100 FLAT ".." 0)", R"(RW 100 FLAT "" 0)", "RW 100 FLAT",
          R"(RW x FLAT "a" 0)", R"(RW 100 FLAT "a" 0 "b")", R"(RW 100 FLAT "a)", "RW",
          R"(100 FLAT "a")", R"(RW 100 OTHER "a")", R"(rw 100 FLAT "a" 0)"}) {
        EXPECT_THAT(error_of([&] { extents(line); }), HasSubstr("d.vmdk: line 5")) << line;
    }
}

// QEMU finds the word wherever it stands.
TEST(VmdkDescriptor, Parent) {
    for (const char* const line :
         {"parentFileNameHint=\"/x\"", "# parentFileNameHint=\"/x\"", "a=\"parentFileNameHint\""})
        EXPECT_THAT(error_of([&] { extents(line); }), HasSubstr("parentFileNameHint")) << line;
}

// The first KiBs of an image of one file: header, and a descriptor of 20 sectors.
std::string sparse_head(const std::string& descriptor, size_t sector = 1) {
    std::string head(64UL * 512, '\0');
    head.replace(0, 4, "KDMV");
    head[12] = 8;  // capacity
    head[28] = static_cast<char>(sector);
    head[36] = 20;
    head.replace(sector * 512, descriptor.size(), descriptor);
    return head;
}

TEST(VmdkDescriptor, Embedded) {
    EXPECT_EQ(embedded_vmdk_descriptor(sparse_head("", 0), "s"), "");
    EXPECT_EQ(embedded_vmdk_descriptor(sparse_head("a=b"), "s"), "a=b");
    std::string head = sparse_head("a=b");
    EXPECT_THAT(error_of([] { embedded_vmdk_descriptor("KDMV", "s"); }),
                HasSubstr("not a vmdk image"));
    head[35] = '\xff';
    EXPECT_THAT(error_of([&] { embedded_vmdk_descriptor(head, "s"); }), HasSubstr("none belongs"));
    EXPECT_THAT(
        error_of([] { embedded_vmdk_descriptor(sparse_head(std::string(63UL * 512, 'x')), "s"); }),
        HasSubstr("does not end"));
}

// As QEMU reads: up to the NUL, whatever the header says of its size.
TEST(VmdkDescriptor, EmbeddedIsReadToItsNul) {
    std::string head = sparse_head(std::string(512, '#') + "\nRW 1 FLAT \"/x\" 0\n");
    head[36] = 1;
    EXPECT_THAT(std::string(embedded_vmdk_descriptor(head, "s")), HasSubstr("/x"));
}

TEST(VmdkDescriptor, EmbeddedThatIsOfOtherFiles) {
    std::string head = sparse_head("a=b");
    head[12] = 0;
    EXPECT_THAT(error_of([&] { embedded_vmdk_descriptor(head, "s"); }), HasSubstr("capacity 0"));
    // QEMU looks for a parent at the first sector, even where the descriptor is another.
    head = sparse_head("a=b", 30);
    head.replace(512, 26, "parentFileNameHint=\"/key\"\n");
    EXPECT_THAT(error_of([&] { embedded_vmdk_descriptor(head, "s"); }),
                HasSubstr("parentFileNameHint"));
}

class VmdkFiles : public testing::Test {
  protected:
    std::string write(const std::string& name, const std::string& bytes) {
        std::ofstream(files_.file(name), std::ios::binary) << bytes;
        return files_.file(name);
    }
    std::string descriptor(const std::string& line) {
        return write("d.vmdk", "# Disk DescriptorFile\nversion=1\n" + line + "\n");
    }
    TemporaryDirectory files_;
};

TEST_F(VmdkFiles, ExtentsAreReturned) {
    write("a.vmdk", sparse_head(""));
    write("b", "flat");
    EXPECT_THAT(
        check_vmdk_extents(descriptor("RW 8 SPARSE \"a.vmdk\"\nRW 1 FLAT \"b\" 0\nRW 5 ZERO")),
        ElementsAre(files_.file("a.vmdk"), files_.file("b")));
    EXPECT_THAT(check_vmdk_extents(files_.file("a.vmdk")), IsEmpty());
}

// As QEMU reads it: what is behind the NUL is left of a longer text.
TEST_F(VmdkFiles, ADescriptorEndsAtItsNul) {
    write("b", "flat");
    const std::string text = "RW 1 FLAT \"b\" 0\n";
    const std::string end("\0RW 1 FLAT \"/key\" 0\n\0\0", 22);
    EXPECT_THAT(check_vmdk_extents(descriptor(text + end)), ElementsAre(files_.file("b")));
}

// An extent is an image as well, and can name other files as one.
TEST_F(VmdkFiles, AnExtentThatIsOfOtherFiles) {
    std::string head = sparse_head("createType=\"monolithicFlat\"\nRW 1 FLAT \"/key\" 0\n");
    head[12] = 0;
    write("a.vmdk", head);
    const std::string path = descriptor("RW 8 SPARSE \"a.vmdk\"");
    EXPECT_THAT(error_of([&] { check_vmdk_extents(path); }), HasSubstr("capacity 0"));
}

TEST_F(VmdkFiles, NoFifoIsOpened) {
    ASSERT_EQ(mkfifo(files_.file("f").c_str(), 0600), 0);
    const UniqueFd reader(open(files_.file("f").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const std::string path = descriptor("RW 8 FLAT \"f\" 0");
    EXPECT_THAT(error_of([&] { check_vmdk_extents(path); }), HasSubstr("not a regular file"));
    EXPECT_THAT(error_of([&] {
                    Confinement({.read = {}, .parts = {files_.file("f")}, .write = {}}, "/bin/sh");
                }),
                HasSubstr("neither a file nor a block device"));
}

// --- what a program may open --------------------------------------------------------------------

class Confined : public VmdkFiles {
  protected:
    void SetUp() override { TAPGATE_REQUIRE(landlock_version() > 0, "a kernel with Landlock"); }
    // What `sh -c` says, 0 where it could do it.
    static int run(const std::string& command, const FileAccess& files) {
        const Confinement confinement(files, "/bin/sh");
        return run_program({"/bin/sh", "-c", command}, std::chrono::seconds(30),
                           most_program_output, &confinement)
            .exit_code;
    }
};

TEST_F(Confined, OpensWhatIsNamedAndNothingElse) {
    const std::string named = write("named", "a");
    const std::string other = write("other", "b");
    const std::string target = write("target", "");
    std::filesystem::create_symlink(other, files_.file("link"));
    const FileAccess files{.read = {named}, .parts = {}, .write = {target}};
    EXPECT_EQ(run("cat '" + named + "' >'" + target + "' && cat '" + target + "'", files), 0);
    EXPECT_NE(run("cat '" + other + "'", files), 0);
    EXPECT_NE(run("cat '" + files_.file("link") + "'", files), 0);
    EXPECT_NE(run("echo c >>'" + named + "'", files), 0);
    EXPECT_NE(run("echo c >'" + files_.file("new") + "'", files), 0);
    EXPECT_NE(run("ls '" + files_.path() + "'", files), 0);
    EXPECT_NE(run("rm '" + target + "'", files), 0);
    EXPECT_NE(run("cat /etc/passwd", files), 0);
    // And this process as before.
    EXPECT_EQ(read_file(other), "b");
}

TEST_F(Confined, ALinkIsNoPartOfAnImage) {
    const std::string other = write("other", "b");
    std::filesystem::create_symlink(other, files_.file("link"));
    EXPECT_EQ(run("cat '" + other + "'", {.read = {files_.file("link")}, .parts = {}, .write = {}}),
              0);
    EXPECT_THAT(
        error_of([&] { run("true", {.read = {}, .parts = {files_.file("link")}, .write = {}}); }),
        HasSubstr("neither a file nor a block device"));
    EXPECT_THAT(
        error_of([&] { run("true", {.read = {files_.file("none")}, .parts = {}, .write = {}}); }),
        HasSubstr("No such file"));
}

// --- tar ----------------------------------------------------------------------------------------

std::string tar_header(const std::string& name, const std::string& size, char type = '0') {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    header.replace(124, size.size(), size);
    header.replace(148, 8, "        ");
    header[156] = type;
    header.replace(257, 5, "ustar");
    unsigned sum = 0;
    for (const char c : header)
        sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    header.replace(148, 7, std::string(text, 7));
    return header;
}

std::string octal(size_t number) {
    char text[8];
    std::snprintf(text, sizeof text, "%03zo", number);
    return text;
}

class Tar : public testing::Test {
  protected:
    void TearDown() override { unlink(path_.c_str()); }

    std::vector<TarMember> members(const std::string& bytes) {
        std::ofstream(path_, std::ios::binary) << bytes;
        return tar_members(path_);
    }
    std::string error(const std::string& bytes) {
        return error_of([&] { members(bytes); });
    }

    std::string path_ = testing::TempDir() + "/tapgate-tar-" + std::to_string(getpid());
    const std::string block_ = std::string(512, 'x');
    const std::string end_ = std::string(1024, '\0');
};

TEST_F(Tar, Members) {
    const auto all =
        members(tar_header("a.ovf", "00000000003") + block_ + tar_header("dir", "0", '5') +
                tar_header("d.vmdk", "00000000001") + block_ + end_);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "a.ovf");
    EXPECT_EQ(all[0].size, 3U);
    EXPECT_EQ(all[1].offset, 4U * 512);
    EXPECT_EQ(read_tar_member(path_, all[0], 3), "xxx");
    EXPECT_THAT(error_of([&] { read_tar_member(path_, all[0], 2); }),
                HasSubstr("is longer than 2 bytes"));
}

TEST_F(Tar, Damaged) {
    std::string header = tar_header("a", "00000000003");
    EXPECT_THAT(error(header), HasSubstr("cut off"));
    EXPECT_THAT(
        error(tar_header("a", std::string("\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12))),
        HasSubstr("cut off"));
    header[0] = 'b';
    EXPECT_THAT(error(header + block_), HasSubstr("damaged"));
    EXPECT_THAT(error(block_), HasSubstr("header"));
    std::string many;
    for (int i = 0; i < 1002; i++)
        many += tar_header("a", "0");
    EXPECT_THAT(error(many), HasSubstr("1000 members"));
}

// POSIX has the beginning of a name elsewhere, pax and GNU have a header in front of that.
TEST_F(Tar, LongNames) {
    const std::string name = std::string(120, 'n') + ".vmdk";
    const auto padded = [](const std::string& text) {
        return text + std::string(512 - text.size(), '\0');
    };
    std::string posix = tar_header("d.vmdk", "0");
    posix.replace(345, 6, "folder");
    unsigned sum = 0;
    for (size_t i = 0; i < posix.size(); i++)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(posix[i]);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    posix.replace(148, 7, std::string(digits, 7));
    const std::string pax =
        "12 size=512\n" + std::to_string(name.size() + 10) + " path=" + name + "\n";
    const auto all = members(posix + tar_header("x", "00000000" + octal(pax.size()), 'x') +
                             padded(pax) + tar_header("cut", "0") + block_ +
                             tar_header("././@LongLink", "00000000" + octal(name.size() + 1), 'L') +
                             padded(name) + tar_header("cut", "00000000001") + block_ + end_);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].name, "folder/d.vmdk");
    EXPECT_EQ(all[1].name, name);
    EXPECT_EQ(all[1].size, 512U);
    EXPECT_EQ(all[2].name, name);
    EXPECT_EQ(all[2].size, 1U);
    for (const char* const record : {"x", "5 a=b", "99 a=b\n", "2\n", "3 \n"})
        EXPECT_THAT(error(tar_header("x", "00000000006", 'x') + padded(record) + end_),
                    HasSubstr("pax header"))
            << record;
}

// --- OVF ----------------------------------------------------------------------------------------

std::string ovf(const std::string& file, const std::string& items) {
    return "<Envelope xmlns:ovf='o' xmlns:rasd='r'><References>" + file +
           "</References><DiskSection><Disk ovf:diskId='d1' ovf:fileRef='f1'/></DiskSection>"
           "<VirtualSystem ovf:id='lab one'><VirtualHardwareSection>" +
           items + "</VirtualHardwareSection></VirtualSystem></Envelope>";
}
const char* const ovf_disk =
    "<Item><rasd:ElementName>disk</rasd:ElementName><rasd:HostResource>ovf:/disk/d1"
    "</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>";

TEST(Ovf, Machine) {
    const Appliance appliance = read_ovf(
        ovf("<File ovf:href='a.vmdk' ovf:id='f1'/>",
            std::string(ovf_disk) +
                "<Item><rasd:AllocationUnits>byte * 2^30</rasd:AllocationUnits><rasd:ResourceType>4"
                "</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>"
                "<EthernetPortItem><Address>52:54:00:00:00:01</Address><ResourceType>10"
                "</ResourceType></EthernetPortItem>"),
        "s", {});
    ASSERT_EQ(appliance.disks.size(), 1U);
    EXPECT_EQ(appliance.disks[0].file, "a.vmdk");
    EXPECT_EQ(appliance.translation.name, "lab-one");
    EXPECT_THAT(appliance.translation.settings,
                ElementsAre(Pair("machine", "q35"), Pair("memory", "2048M"),
                            Pair("net", "bridge:br0,model=e1000,mac=52:54:00:00:00:01")));
}

// IDE is kept where nothing is said against it.
TEST(Ovf, OfVCloudHasNoDisks) {
    EXPECT_THAT(error_of([] {
                    read_ovf("<VApp xmlns='v' xmlns:ovf='o'><Children><Vm/></Children></VApp>", "s",
                             {});
                }),
                HasSubstr("what vCloud says about a vApp"));
}

TEST(Ovf, DiskOnIde) {
    const std::string items =
        "<Item><rasd:ElementName>IDE 0</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>"
        "<rasd:ResourceType>5</rasd:ResourceType></Item>"
        "<Item><rasd:HostResource>ovf:/disk/d1</rasd:HostResource><rasd:Parent>3</rasd:Parent>"
        "<rasd:ResourceType>17</rasd:ResourceType></Item>";
    const std::string text = ovf("<File ovf:href='a.vmdk' ovf:id='f1'/>", items);
    const auto expect = [&](ApplianceWishes wishes, const std::string& machine, DiskBus bus) {
        const Appliance appliance = read_ovf(text, "s", std::move(wishes));
        EXPECT_THAT(appliance.translation.settings, Contains(Pair("machine", machine)));
        EXPECT_EQ(appliance.disks.at(0).bus, bus);
    };
    expect({}, "pc", DiskBus::ide);
    expect({.q35 = true}, "q35", DiskBus::sata);
    expect({.virtio = true}, "q35", DiskBus::sata);
}

std::string ovf_item(unsigned type, const std::string& rest) {
    return "<Item>" + rest + "<rasd:ResourceType>" + std::to_string(type) +
           "</rasd:ResourceType></Item>";
}

std::string memory_of(const std::string& quantity, const std::string& units) {
    const std::string text =
        ovf("", ovf_item(4, "<rasd:AllocationUnits>" + units + "</rasd:AllocationUnits>" +
                                "<rasd:VirtualQuantity>" + quantity + "</rasd:VirtualQuantity>"));
    for (const auto& [key, value] : read_ovf(text, "s", {}).translation.settings) {
        if (key == "memory")
            return value;
    }
    return "";
}

// As VMware, VirtualBox and DMTF's DSP0004 write them.
TEST(Ovf, Units) {
    for (const char* const units :
         {"byte * 2^20", "bytes * 2^20", "2^20 * byte", "byte * 2 ^ 20", "byte*1024*1024",
          "1024 * 1024 * byte", "2^20", "MegaBytes", "megabyte", "MB", "MByte", "MiB", "mebibyte",
          "Mebibytes", "kibibyte * 2^10", "1024 * kilobytes"})
        EXPECT_EQ(memory_of("512", units), "512M") << units;
    EXPECT_EQ(memory_of("2", "gibibyte"), "2048M");
    EXPECT_EQ(memory_of("536870912", "byte"), "512M");
    EXPECT_EQ(memory_of("1", "byte * 10^9"), "954M");
    for (const char* const units : {"bit", "B", "furlong", "byte*byte", "1024*", "*1024", "byte/2",
                                    "byte * -1", "byte * 2^", "2^^20", "hertz * 10^6"})
        EXPECT_THAT(error_of([&] { memory_of("512", units); }),
                    HasSubstr("tapgate does not know the unit"))
            << units;
}

// What is `normal' is no bound of what there may be.
TEST(Ovf, Bounds) {
    const auto cpus = [](const std::string& bound, unsigned number) {
        return "<Item ovf:bound='" + bound +
               "'><rasd:InstanceID>1</rasd:InstanceID>"
               "<rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>" +
               std::to_string(number) + "</rasd:VirtualQuantity></Item>";
    };
    EXPECT_THAT(read_ovf(ovf("", cpus("normal", 4) + cpus("min", 2) + cpus("max", 8)), "s", {})
                    .translation.settings,
                Contains(Pair("cpus", "4")));
}

// What is beside a descriptor needs no unpacking.
TEST(Ovf, WhatIsInDrives) {
    const std::string drive = ovf_item(15, "<rasd:HostResource>ovf:/file/f2</rasd:HostResource>");
    for (const auto& [source, way_out] : {std::pair("a.ova", "unpack that, and add --cdrom=FILE"),
                                          {"a.ovf", "beside the descriptor: add --cdrom=FILE"}}) {
        const std::vector<TranslationNote> notes =
            read_ovf(ovf("<File ovf:href='x.iso' ovf:id='f2'/>", drive), source, {})
                .translation.notes;
        std::string all;
        for (const TranslationNote& note : notes)
            all += note.why + "\n";
        EXPECT_THAT(all, HasSubstr(way_out));
    }
}

// OVF 2 has disks that are no disk drives.
TEST(Ovf, DisksOfOtherNumbers) {
    for (const unsigned type : {19U, 31U, 32U}) {
        const Appliance appliance =
            read_ovf(ovf("", ovf_item(type,
                                      "<sasd:AllocationUnits>byte*2^30</sasd:AllocationUnits>"
                                      "<sasd:VirtualQuantity>100</sasd:VirtualQuantity>")),
                     "s", {});
        ASSERT_EQ(appliance.disks.size(), 1U) << type;
        EXPECT_EQ(appliance.disks[0].capacity, 100ULL << 30U) << type;
    }
}

TEST(Ovf, APropertyWithoutAValue) {
    const auto with = [](const std::string& property) {
        std::string text = ovf("", ovf_item(3,
                                            "<rasd:VirtualQuantity>${vcpu}"
                                            "</rasd:VirtualQuantity>"));
        return text.insert(
            text.find("<VirtualHardwareSection>"),
            "<ProductSection><Property ovf:key='vcpu'" + property + "/></ProductSection>");
    };
    for (const char* const property : {"", " ovf:value=''", " ovf:userConfigurable='true'"})
        EXPECT_THAT(error_of([&] { read_ovf(with(property), "s", {}); }),
                    HasSubstr("`${vcpu}' has no value"));
    EXPECT_THAT(read_ovf(with(" ovf:defaultValue='2'"), "s", {}).translation.settings,
                Contains(Pair("cpus", "2")));
    EXPECT_THAT(error_of([&] { read_ovf(with(""), "s", {.memory = true}); }),
                HasSubstr(", or use --cpus=N"));
    EXPECT_THAT(read_ovf(with(""), "s", {.cpus = true}).translation.settings,
                Not(Contains(Pair("cpus", testing::_))));
}

// "VIRTIO" and "VirtualE1000e", as some write them.
TEST(Ovf, NamesOfAdapters) {
    const auto model = [](const std::string& name) {
        const std::string item =
            ovf_item(10, "<rasd:ResourceSubType>" + name + "</rasd:ResourceSubType>");
        for (const auto& [key, value] : read_ovf(ovf("", item), "s", {}).translation.settings) {
            if (key == "net")
                return value.substr(value.find("model=") + 6);
        }
        return std::string();
    };
    EXPECT_EQ(model("VIRTIO"), "virtio");
    EXPECT_EQ(model("VMXNET3 VirtIO"), "virtio");
    EXPECT_EQ(model("virtualE1000E"), "e1000e");
    EXPECT_EQ(model("RTL8139"), "rtl8139");
    EXPECT_EQ(model("VmxNet3"), "e1000");
}

// Nobody needs what the item says then, and the note says what counts.
TEST(Ovf, WhatIsSaidWithTheCommand) {
    const std::string text = ovf("", ovf_item(3, "<rasd:VirtualQuantity>4</rasd:VirtualQuantity>") +
                                         ovf_item(4,
                                                  "<rasd:AllocationUnits>MB</rasd:AllocationUnits>"
                                                  "<rasd:VirtualQuantity>512</rasd:VirtualQuantity>"
                                                  "<rasd:Reservation>9</rasd:Reservation>"));
    const Translation said = read_ovf(text, "s", {.cpus = true, .memory = true}).translation;
    std::string notes;
    for (const TranslationNote& note : said.notes)
        notes += note.why + "\n";
    EXPECT_THAT(notes, HasSubstr("--cpus= is used instead; it was 4\n"));
    EXPECT_THAT(notes,
                HasSubstr("--memory= is used instead; it was 512 MB; left out: Reservation=9\n"));
    EXPECT_THAT(said.settings, Not(Contains(Pair(testing::AnyOf("cpus", "memory"), testing::_))));
}

TEST(Ovf, MacAddresses) {
    const auto adapter = [](const std::string& address) {
        return read_ovf(ovf("", ovf_item(10, "<rasd:Address>" + address + "</rasd:Address>")), "s",
                        {})
            .translation;
    };
    const auto reasons = [&](const std::string& address) {
        std::string all;
        for (const TranslationNote& one : adapter(address).notes)
            all += one.why + "\n";
        return all;
    };
    for (const char* const address :
         {"00:50:56:aa:bb:cc", "00-50-56-AA-BB-CC", "0050.56aa.bbcc", "005056AABBCC"})
        EXPECT_THAT(adapter(address).settings,
                    Contains(Pair("net", "bridge:br0,model=e1000,mac=00:50:56:aa:bb:cc")))
            << address;
    for (const char* const address : {"01:00:5e:00:00:01", "somewhere", "00-50-56-AA-BB"})
        EXPECT_THAT(reasons(address), HasSubstr("`" + std::string(address) +
                                                "' is not a valid MAC address for an adapter"));
    EXPECT_THAT(reasons("7"), Not(HasSubstr("MAC address")));
}

// The first disk of the first controller, in whatever order they are written.
TEST(Ovf, DisksOfSeveralControllers) {
    const auto controller = [](unsigned type, const char* kind, unsigned id, unsigned number) {
        return ovf_item(type, "<rasd:Address>" + std::to_string(number) + "</rasd:Address>" +
                                  "<rasd:InstanceID>" + std::to_string(id) + "</rasd:InstanceID>" +
                                  "<rasd:ResourceSubType>" + kind + "</rasd:ResourceSubType>");
    };
    const auto disk = [](unsigned mebibytes, unsigned parent, unsigned place) {
        return ovf_item(17, "<rasd:AddressOnParent>" + std::to_string(place) +
                                "</rasd:AddressOnParent><rasd:Parent>" + std::to_string(parent) +
                                "</rasd:Parent><rasd:AllocationUnits>MiB</rasd:AllocationUnits>"
                                "<rasd:VirtualQuantity>" +
                                std::to_string(mebibytes) + "</rasd:VirtualQuantity>");
    };
    const auto order = [](const std::string& items) {
        std::vector<std::uint64_t> sizes;
        for (const ApplianceDisk& one : read_ovf(ovf("", items), "s", {}).disks)
            sizes.push_back(one.capacity >> 20U);
        return sizes;
    };
    for (const unsigned type : {5U, 6U, 20U}) {
        EXPECT_THAT(order(controller(type, "a", 1, 1) + disk(30, 1, 0) + disk(40, 1, 1) +
                          controller(type, "a", 2, 0) + disk(20, 2, 1) + disk(10, 2, 0)),
                    ElementsAre(10, 20, 30, 40))
            << type;
    }
    // SCSI controllers are numbered together, of whatever kind; AHCI and NVMe each by itself.
    EXPECT_THAT(order(controller(6, "VirtualSCSI", 1, 1) + disk(20, 1, 0) +
                      controller(6, "lsilogic", 2, 0) + disk(10, 2, 0)),
                ElementsAre(10, 20));
    EXPECT_THAT(order(controller(20, "vmware.nvme.controller", 1, 1) + disk(10, 1, 0) +
                      controller(20, "AHCI", 2, 0) + disk(20, 2, 0)),
                ElementsAre(10, 20));
}

// Of memory: MiB, but where that would be too much.
TEST(Ovf, NoUnit) {
    EXPECT_EQ(memory_of("512", ""), "512M");
    EXPECT_EQ(memory_of("1073741824", ""), "1024M");
}

// What a disk with a file has to have at least.
TEST(Ovf, Capacity) {
    const auto capacity = [](const std::string& attributes) {
        std::string text = ovf("<File ovf:href='a.vmdk' ovf:id='f1'/>", ovf_disk);
        text.insert(text.find("<Disk ") + 6, attributes + " ");
        text.insert(text.find("<VirtualHardwareSection>"),
                    "<ProductSection><Property ovf:key='size' ovf:value='3'/></ProductSection>");
        return read_ovf(text, "s", {}).disks.at(0).capacity;
    };
    EXPECT_EQ(capacity("ovf:capacity='5368709120'"), 5ULL << 30U);
    EXPECT_EQ(capacity("ovf:capacity='20' ovf:capacityAllocationUnits='byte * 2^30'"),
              20ULL << 30U);
    EXPECT_EQ(capacity("ovf:capacity='${size}' ovf:capacityAllocationUnits='GiB'"), 3ULL << 30U);
    for (const char* const nothing :
         {"", "ovf:capacity=''", "ovf:capacity='x'", "ovf:capacity='-1'",
          "ovf:capacity='5' ovf:capacityAllocationUnits='furlong'",
          "ovf:capacity='100' ovf:capacityAllocationUnits='byte * 2^40'"})
        EXPECT_EQ(capacity(nothing), 0U) << nothing;
}

// QEMU has no disk of another size.
TEST(Ovf, ASizeIsOneOfWholeSectors) {
    const auto size_of = [](const std::string& file, const std::string& capacity) {
        const std::string text =
            "<Envelope><References><File id='f1' href='a.vmdk'/></References>"
            "<DiskSection><Disk diskId='d1' " +
            file + "capacity='" + capacity +
            "'/></DiskSection><VirtualSystem><VirtualHardwareSection>" + std::string(ovf_disk) +
            "</VirtualHardwareSection>" + "</VirtualSystem></Envelope>";
        return read_ovf(text, "FILE", {}).disks.at(0).capacity;
    };
    for (const char* const file : {"", "fileRef='f1' "}) {
        EXPECT_EQ(size_of(file, "1234"), 1536) << file;
        EXPECT_EQ(size_of(file, "1024"), 1024) << file;
    }
}

TEST(Ovf, FirmwareOfAConfiguration) {
    const std::string text =
        "<Envelope xmlns:ovf='o'><DeploymentOptionSection><Configuration ovf:id='old'/>"
        "<Configuration ovf:id='new'/></DeploymentOptionSection><VirtualSystem ovf:id='a'>"
        "<VirtualHardwareSection><Config vmw:key='firmware' vmw:value='bios'/><Config "
        "ovf:configuration='new' vmw:key='firmware' vmw:value='efi'/></VirtualHardwareSection>"
        "</VirtualSystem></Envelope>";
    EXPECT_THAT(read_ovf(text, "s", {}).translation.settings,
                Not(Contains(Pair("firmware", "uefi"))));
    EXPECT_THAT(read_ovf(text, "s", {.configuration = "new"}).translation.settings,
                Contains(Pair("firmware", "uefi")));
}

// Windows before 8 on SCSI: it has the driver for IDE, which its CD drive was on.
TEST(Ovf, GuestsWithoutDriverForSata) {
    struct Made {
        std::string machine;
        DiskBus bus;
        bool rtl8139;
    };
    const auto made = [](const std::string& guest, const std::string& kind, unsigned type,
                         const std::string& adapter, ApplianceWishes wishes = {}) -> Made {
        std::string text =
            ovf("<File ovf:href='a.vmdk' ovf:id='f1'/>",
                ovf_item(type, "<rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>" + kind +
                                   "</rasd:ResourceSubType>") +
                    ovf_item(17,
                             "<rasd:HostResource>ovf:/disk/d1</rasd:HostResource>"
                             "<rasd:Parent>3</rasd:Parent>") +
                    ovf_item(10, "<rasd:ResourceSubType>" + adapter + "</rasd:ResourceSubType>"));
        text.insert(text.find("<VirtualHardwareSection>"), guest);
        const Appliance appliance = read_ovf(text, "s", std::move(wishes));
        bool rtl8139 = false;
        std::string machine;
        for (const auto& [key, value] : appliance.translation.settings) {
            rtl8139 = rtl8139 || (key == "net" && value == "bridge:br0,model=rtl8139");
            machine = key == "machine" ? value : machine;
        }
        return {machine, appliance.disks.at(0).bus, rtl8139};
    };
    const auto of_vmware = [](const std::string& type) {
        return "<OperatingSystemSection vmw:osType='" + type + "'/>";
    };
    for (const char* const old : {"winXPProGuest", "win2000ProGuest", "winNetEnterprise64Guest"}) {
        const Made with = made(of_vmware(old), "lsilogic", 6, "PCNet32");
        EXPECT_EQ(with.machine, "pc") << old;
        EXPECT_EQ(with.bus, DiskBus::ide) << old;
        EXPECT_TRUE(with.rtl8139) << old;
        EXPECT_FALSE(made(of_vmware(old), "lsilogic", 6, "E1000").rtl8139) << old;
    }
    const Made seven = made(of_vmware("windows7Server64Guest"), "lsilogicsas", 6, "VmxNet3");
    EXPECT_EQ(seven.bus, DiskBus::ide);
    EXPECT_FALSE(seven.rtl8139);
    EXPECT_EQ(made("<OperatingSystemSection><OSType>WindowsXP</OSType></OperatingSystemSection>",
                   "LsiLogic", 6, "Am79C973")
                  .bus,
              DiskBus::ide);
    for (const char* const other : {"windows8_64Guest", "ubuntu64Guest", ""}) {
        const Made with = made(of_vmware(other), "lsilogic", 6, "PCNet32");
        EXPECT_EQ(with.machine, "q35") << other;
        EXPECT_EQ(with.bus, DiskBus::sata) << other;
        EXPECT_FALSE(with.rtl8139) << other;
    }
    EXPECT_EQ(made(of_vmware("windows7Guest"), "vmware.sata.ahci", 20, "E1000").bus, DiskBus::sata);
    EXPECT_EQ(made(of_vmware("winXPProGuest"), "lsilogic", 6, "E1000", {.q35 = true}).bus,
              DiskBus::sata);
    EXPECT_EQ(made(of_vmware("winXPProGuest"), "lsilogic", 6, "E1000", {.virtio = true}).machine,
              "q35");
}

TEST(Ovf, OneOfSeveralVms) {
    const std::string text =
        "<Envelope xmlns:ovf='o'><VirtualSystemCollection ovf:id='all'><StartupSection/>"
        "<VirtualSystem ovf:id='db server'><Name>first</Name><VirtualHardwareSection/>"
        "</VirtualSystem><VirtualSystemCollection ovf:id='inner'><VirtualSystem ovf:id='web'>"
        "<Name>second</Name><VirtualHardwareSection/></VirtualSystem></VirtualSystemCollection>"
        "<VirtualSystemCollection ovf:id='none'/></VirtualSystemCollection></Envelope>";
    EXPECT_EQ(error_of([&] { read_ovf(text, "s", {}); }),
              "s: it contains several VMs: `db server' (first), `web' (second); choose one, for "
              "example with "
              "'--vm=db server'");
    EXPECT_EQ(error_of([&] { read_ovf(text, "s", {.vm = "mail"}); }),
              "s: it contains no VM `mail', but `db server' (first), `web' (second)");
    EXPECT_EQ(read_ovf(text, "s", {.vm = "db server"}).translation.name, "first");
    for (const char* const wish : {"web", "second"}) {
        const Translation web = read_ovf(text, "s", {.vm = wish}).translation;
        EXPECT_EQ(web.name, "second");
        std::string notes;
        for (const TranslationNote& one : web.notes)
            notes += one.was + " " + one.why + "\n";
        for (const char* const what : {"<StartupSection>", "ovf:id='all'", "ovf:id='inner'",
                                       "ovf:id='none'", "'--vm=db server' imports it"})
            EXPECT_THAT(notes, HasSubstr(what));
    }
    const auto error_for = [](const std::string& ids) {
        const std::string two =
            "<Envelope><VirtualSystem id='a'><Name>web</Name></VirtualSystem>"
            "<VirtualSystem id='" +
            ids + "'><Name>web</Name></VirtualSystem></Envelope>";
        return error_of([&] { read_ovf(two, "s", {.vm = ids == "a" ? "a" : "web"}); });
    };
    EXPECT_EQ(
        error_for("b"),
        "s: several of its VMs are called `web': choose one by its id, for example with --vm=a");
    EXPECT_EQ(error_for("a"),
              "s: several of its VMs are called `a': give each an id of its own in the descriptor "
              "(ovf:id=)");
    EXPECT_THAT(error_of([] { read_ovf(ovf("", ""), "s", {.vm = "other"}); }),
                HasSubstr("it contains no VM `other', but `lab one'"));
}

TEST(Ovf, OneOfSeveralConfigurations) {
    std::string text = ovf("", ovf_item(3, "<rasd:VirtualQuantity>1</rasd:VirtualQuantity>"));
    EXPECT_EQ(error_of([&] { read_ovf(text, "s", {.configuration = "big"}); }),
              "s: it has no configuration `big', and no other one either");
    text.insert(text.find("<VirtualSystem"),
                "<DeploymentOptionSection><Configuration ovf:id='small'/><Configuration "
                "ovf:id='big'/></DeploymentOptionSection>");
    text.insert(text.find("<Item>") + 5, " ovf:configuration='big'");
    const auto cpus = [&](const std::string& configuration) {
        return read_ovf(text, "s", {.configuration = configuration}).translation;
    };
    EXPECT_THAT(cpus("big").settings, Contains(Pair("cpus", "1")));
    EXPECT_THAT(cpus("small").settings, Not(Contains(Pair("cpus", "1"))));
    EXPECT_THAT(cpus("").settings, Not(Contains(Pair("cpus", "1"))));
    EXPECT_EQ(cpus("").notes.front().why,
              "the appliance offers small, big, and this one is the default; --configuration=ID "
              "chooses another");
    EXPECT_EQ(error_of([&] { cpus("medium"); }),
              "s: it has no configuration `medium', but small, big");
}

TEST(Ovf, WhatIsRefused) {
    const auto error = [](const std::string& file) {
        return error_of([&] { read_ovf(ovf(file, ovf_disk), "s", {}); });
    };
    EXPECT_THAT(error("<File ovf:href='../a.vmdk' ovf:id='f1'/>"),
                HasSubstr("not a file beside the descriptor"));
    EXPECT_THAT(error("<File ovf:href='http://x/a.vmdk' ovf:id='f1'/>"),
                HasSubstr("not a file beside the descriptor"));
    EXPECT_THAT(error("<File ovf:href='a.vmdk' ovf:compression='bzip2' ovf:id='f1'/>"),
                HasSubstr("compressed"));
    EXPECT_THAT(error(""), HasSubstr("the descriptor names no file"));
    EXPECT_THAT(error_of([] { read_ovf("<Envelope/>", "s", {}); }), HasSubstr("no VM"));
    EXPECT_THAT(error_of([] { read_ovf("<a/>", "s", {}); }), HasSubstr("not an OVF"));
}

// --- an appliance's files

TEST(Manifest, OfOvfToolAndOfSha256sum) {
    const std::string digest(64, 'A');
    for (const char* const line : {"SHA256(a b.vmdk)= ", "sha256 (a b.vmdk) = "}) {
        const auto entries = parse_manifest(line + digest + "\r\n", "s");
        ASSERT_EQ(entries.size(), 1U) << line;
        EXPECT_EQ(entries[0].file, "a b.vmdk");
    }
    for (const char* const file : {"  a b.vmdk", " *a b.vmdk"}) {
        const auto entries = parse_manifest(digest + file + "\n", "s");
        ASSERT_EQ(entries.size(), 1U) << file;
        EXPECT_EQ(entries[0].algorithm, "SHA256");
        EXPECT_EQ(entries[0].file, "a b.vmdk");
        EXPECT_EQ(entries[0].digest, std::string(64, 'a'));
    }
    EXPECT_EQ(parse_manifest(std::string(40, '0') + "  a\n", "s").at(0).algorithm, "SHA1");
    // MD5
    EXPECT_THAT(error_of([] { parse_manifest(std::string(32, '0') + "  a\n", "s"); }),
                HasSubstr("not a line of a manifest"));
}

// A truncated download would be a disk with zeros at its end.
TEST(ApplianceFiles, SizesThatTheDescriptorGives) {
    const TemporaryDirectory directory;
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream(directory.file(name)) << text;
    };
    write("a.ovf", "<Envelope/>");
    write("d.raw", "0123456789");
    write("packed", "\x1f\x8b");
    const auto odd = [&](const std::string& file, std::uint64_t size, bool compressed = false,
                         ImageFormat format = ImageFormat::raw) {
        ApplianceDisk disk{.file = file, .format = format, .compressed = compressed};
        disk.file_size = size;
        ApplianceFiles files(directory.file("a.ovf"));
        files.check_manifests();
        return files.odd_size(disk);
    };
    EXPECT_EQ(odd("d.raw", 10), "");
    EXPECT_EQ(odd("d.raw", 0), "");
    // The end of gzip has a checksum, and image_of() says what is not there.
    EXPECT_EQ(odd("d.raw", 11, true), "");
    EXPECT_EQ(odd("packed", 11), "");
    EXPECT_EQ(odd("none", 11), "");
    EXPECT_EQ(odd("d.raw", 9),
              "the file has 10 bytes: it was changed after the descriptor had been written, or is "
              "another one");
    EXPECT_THAT(error_of([&] { odd("d.raw", 11); }),
                HasSubstr("a.ovf: `d.raw' has only 10 bytes, and the descriptor says 11: most "
                          "likely it was not downloaded or copied to its end"));
    EXPECT_THAT(error_of([&] { odd("d.raw", 11, false, ImageFormat::vhdx); }), HasSubstr("only"));
    // Whether their data are all there is found when they are converted.
    for (const ImageFormat format : {ImageFormat::vmdk, ImageFormat::vdi, ImageFormat::qcow2})
        EXPECT_EQ(odd("d.raw", 11, false, format),
                  "the file has only 10 bytes, but as an image it is complete");
    write("a.mf", "SHA1(d.raw)= 87acec17cd9dcd20a716cc2cf67417b71c8a7016\n");
    EXPECT_EQ(odd("d.raw", 11),
              "the file has only 10 bytes, but its checksum in the manifest is right");
}

// oVirt's are those of the disk, which a qcow2 file is smaller than.
TEST(Ovf, SizesOfOvirtsFilesAreNotCompared) {
    const auto size = [](const std::string& volume) {
        std::string text = ovf("<File ovf:href='a' ovf:id='f1' ovf:size='5'/>", ovf_disk);
        text.insert(text.find("<Disk ") + 6, volume);
        return read_ovf(text, "s", {}).disks.at(0).file_size;
    };
    EXPECT_EQ(size(""), 5U);
    EXPECT_EQ(size("ovf:volume-format='COW' "), 0U);
}

// --- XML of others

// The parser knows two encodings.
TEST(Xml, OtherEncodings) {
    const auto read = [](const std::string& encoding, const std::string& name) {
        return read_ovf("<?xml version=\"1.0\" encoding=" + encoding +
                            "?><Envelope xmlns:ovf='o'><VirtualSystem ovf:id='" + name +
                            "'><VirtualHardwareSection/></VirtualSystem></Envelope>",
                        "s", {})
            .translation.name;
    };
    EXPECT_EQ(error_of([&] { read("\"windows-1252\"", "g\xe4ste"); }),
              "s: it is in windows-1252: `iconv -f windows-1252 -t UTF-8 OLD | sed "
              "1s/windows-1252/UTF-8/ >NEW' converts it");
    EXPECT_THAT(error_of([&] { read("'EUC-JP'", "\xa4\xa2"); }), HasSubstr("it is in EUC-JP"));
    EXPECT_EQ(read("'windows-1252'", "guests"), "guests");
    for (const char* const known : {"'ISO-8859-1'", "\"utf-8\""})
        EXPECT_EQ(read(known, "guests"), "guests") << known;
    for (const char* const none : {"'UTF-8'", "", "\"", "'"})
        EXPECT_EQ(error_of([&] { read(none, "g\xc3\xa4ste"); }), "none") << none;
}

TEST(Xml, NoDocumentTypes) {
    const std::string laughs =
        "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]>"
        "<domain type='kvm'><name>&c;</name></domain>";
    EXPECT_THAT(error_of([&] { translate_domain(laughs, "s"); }), HasSubstr("DOCTYPE"));
    const std::string file = "<!DOCTYPE l SYSTEM 'file:///etc/passwd'><domain type='kvm'/>";
    EXPECT_THAT(error_of([&] { translate_domain(file, "s"); }), HasSubstr("DOCTYPE"));
    EXPECT_THAT(error_of([] { translate_domain("<domain", "s"); }), HasSubstr("not valid XML"));
    std::string deep;
    for (int i = 0; i < 200000; i++)
        deep += "<a>";
    EXPECT_THAT(error_of([&] { translate_domain(deep, "s"); }), HasSubstr("not valid XML"));
}

// --- libvirt ------------------------------------------------------------------------------------

const char* const domain = R"(<domain type='kvm'>
  <name>rhce</name>
  <memory unit='KiB'>2097152</memory>
  <vcpu placement='static'>4</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-rhel7.0.0'>hvm</type><boot dev='hd'/></os>
  <cpu mode='custom' match='exact'><model>qemu64</model><topology sockets='2' cores='2' threads='1'/>
    <feature policy='require' name='vmx'/></cpu>
  <clock offset='utc'/>
  <devices>
    <emulator>/usr/libexec/qemu-kvm</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>
      <source file='/data/a,b.qcow2'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='x'/></disk>
    <interface type='bridge'><mac address='52:54:00:1f:45:43'/><source bridge='br7'/>
      <model type='virtio'/><filterref filter='clean-traffic'/></interface>
    <interface type='network'><source network='default'/><model type='ne2k_pci'/></interface>
    <graphics type='vnc' port='-1'/>
    <hostdev mode='subsystem' type='pci'/>
  </devices>
</domain>)";

TEST(Domain, Settings) {
    const Translation result = translate_domain(domain, "s");
    EXPECT_EQ(result.name, "rhce");
    EXPECT_THAT(result.settings,
                testing::UnorderedElementsAre(
                    Pair("machine", "pc"), Pair("memory", "2048M"), Pair("cpu", "qemu64,+vmx"),
                    Pair("cpus", "4,sockets=2,cores=2,threads=1"),
                    Pair("disk", "/data/a,,b.qcow2,format=qcow2,bus=virtio,cache=none"),
                    Pair("net", "bridge:br7,model=virtio,mac=52:54:00:1f:45:43"),
                    Pair("net", "bridge:virbr0,model=rtl8139"), Pair("display", "vnc"),
                    Pair("boot", "disk")));
    describe_vm(VmName::parse("vm").value(), settings_of(result, "/", {}));
    std::vector<std::string> notes;
    for (const TranslationNote& note : result.notes)
        notes.push_back(note_text(note));
    EXPECT_THAT(notes, Contains(HasSubstr("<hostdev mode='subsystem' type='pci'>")));
    EXPECT_THAT(notes, Contains(HasSubstr("filter='clean-traffic'")));
    EXPECT_THAT(notes, Contains(HasSubstr("protocol='rbd'")));
    EXPECT_THAT(notes, Contains(HasSubstr("the drive is empty")));
}

// Where <nvram> says it: as its text, or in a <source>.
TEST(Domain, VariablesOfItsFirmware) {
    const auto variables = [](const std::string& nvram) {
        return translate_domain("<domain type='kvm'><os firmware='efi'><type>hvm</type>" + nvram +
                                    "</os></domain>",
                                "s")
            .variables;
    };
    EXPECT_EQ(variables("<nvram>/srv/a.fd</nvram>"), "/srv/a.fd");
    EXPECT_EQ(variables("<nvram type='file'><source file='/srv/b.fd'/></nvram>"), "/srv/b.fd");
    EXPECT_EQ(variables("<nvram type='network'><source protocol='nbd' name='c'/></nvram>"), "");
    EXPECT_EQ(variables("<nvram type='file'><source file='d.fd'/></nvram>"), "");
}

TEST(Domain, WhatIsRefused) {
    const auto error = [](const std::string& text) {
        return error_of([&] { translate_domain(text, "s"); });
    };
    EXPECT_THAT(error("<domain type='xen'/>"), HasSubstr("a domain of type `xen'"));
    EXPECT_THAT(error("<network/>"), HasSubstr("not a libvirt domain"));
    EXPECT_THAT(error("<VirtualBox version='1.16-linux'><Machine name='a'/></VirtualBox>"),
                HasSubstr("`VBoxManage export VM -o FILE.ova'"));
    EXPECT_THAT(error("<domain type='kvm'><os><type arch='aarch64'>hvm</type></os></domain>"),
                HasSubstr("another kind"));
    EXPECT_THAT(error("<domain type='kvm'><memory unit='parsec'>1</memory></domain>"),
                HasSubstr("not a memory size"));
}

}  // namespace

}  // namespace tapgate
