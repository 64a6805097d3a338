// SPDX-License-Identifier: GPL-2.0-or-later
//
// What importers read: descriptors of vmdk images, tar archives, OVF, libvirt domains.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "launcher/base/error.h"
#include "launcher/foreign/domain_xml.h"
#include "launcher/foreign/ovf.h"
#include "launcher/foreign/tar_archive.h"
#include "launcher/foreign/vmdk_descriptor.h"
#include "launcher/vm/description.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
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
         {"RW 100 FLAT \"../x\" 0", "RW 100 FLAT \"/etc/shadow\" 0", "RW 100 FLAT \"nbd:x\" 0",
          "RW 100 FLAT \"a\\\\b\" 0", "RW 100 FLAT \"..\" 0", "RW 100 FLAT \"\" 0", "RW 100 FLAT",
          "RW x FLAT \"a\" 0", "RW 100 FLAT \"a\" 0 \"b\"", "RW 100 FLAT \"a", "RW",
          "100 FLAT \"a\"", "parentFileNameHint=\"/x\"", "rw 100 FLAT \"a\" 0"}) {
        EXPECT_THAT(error_of([&] { extents(line); }), HasSubstr("d.vmdk: line 5")) << line;
    }
}

TEST(VmdkDescriptor, Embedded) {
    std::string head(4096, '\0');
    head.replace(0, 4, "KDMV");
    EXPECT_EQ(embedded_vmdk_descriptor(head, "s"), "");
    head[28] = 1;
    head[36] = 2;
    head.replace(512, 3, "a=b");
    EXPECT_EQ(embedded_vmdk_descriptor(head, "s"), "a=b");
    head[36] = 120;
    EXPECT_THROW(embedded_vmdk_descriptor(head, "s"), LauncherError);
    EXPECT_THROW(embedded_vmdk_descriptor("KDMV", "s"), LauncherError);
    head[35] = '\xff';
    EXPECT_THROW(embedded_vmdk_descriptor(head, "s"), LauncherError);
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

class Tar : public testing::Test {
  protected:
    ~Tar() override { unlink(path_.c_str()); }

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
    EXPECT_THROW(read_tar_member(path_, all[0], 2), LauncherError);
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
        "s", false);
    ASSERT_EQ(appliance.disks.size(), 1U);
    EXPECT_EQ(appliance.disks[0].file, "a.vmdk");
    EXPECT_EQ(appliance.translation.name, "lab-one");
    EXPECT_THAT(appliance.translation.settings,
                ElementsAre(Pair("memory", "2048M"),
                            Pair("net", "bridge:br0,model=e1000,mac=52:54:00:00:00:01")));
}

TEST(Ovf, WhatIsRefused) {
    const auto error = [](const std::string& file) {
        return error_of([&] { read_ovf(ovf(file, ovf_disk), "s", false); });
    };
    EXPECT_THAT(error("<File ovf:href='../a.vmdk' ovf:id='f1'/>"),
                HasSubstr("no file beside the descriptor"));
    EXPECT_THAT(error("<File ovf:href='http://x/a.vmdk' ovf:id='f1'/>"),
                HasSubstr("no file beside the descriptor"));
    EXPECT_THAT(error("<File ovf:href='a.vmdk' ovf:compression='bzip2' ovf:id='f1'/>"),
                HasSubstr("compressed"));
    EXPECT_THAT(error(""), HasSubstr("no file is said"));
    EXPECT_THAT(error_of([] { read_ovf("<Envelope/>", "s", false); }), HasSubstr("no VM"));
    EXPECT_THAT(error_of([] { read_ovf("<a/>", "s", false); }), HasSubstr("no OVF"));
}

// --- XML of others
// ----------------------------------------------------------------------------------

TEST(Xml, NoDocumentTypes) {
    const std::string laughs =
        "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]>"
        "<domain type='kvm'><name>&c;</name></domain>";
    EXPECT_THAT(error_of([&] { translate_domain(laughs, "s"); }), HasSubstr("DOCTYPE"));
    const std::string file = "<!DOCTYPE l SYSTEM 'file:///etc/passwd'><domain type='kvm'/>";
    EXPECT_THAT(error_of([&] { translate_domain(file, "s"); }), HasSubstr("DOCTYPE"));
    EXPECT_THAT(error_of([] { translate_domain("<domain", "s"); }), HasSubstr("no XML"));
    std::string deep;
    for (int i = 0; i < 200000; i++)
        deep += "<a>";
    EXPECT_THAT(error_of([&] { translate_domain(deep, "s"); }), HasSubstr("no XML"));
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
    EXPECT_THAT(notes, Contains(HasSubstr("an empty drive")));
}

TEST(Domain, WhatIsRefused) {
    const auto error = [](const std::string& text) {
        return error_of([&] { translate_domain(text, "s"); });
    };
    EXPECT_THAT(error("<domain type='xen'/>"), HasSubstr("a domain of `xen'"));
    EXPECT_THAT(error("<network/>"), HasSubstr("no libvirt domain"));
    EXPECT_THAT(error("<domain type='kvm'><os><type arch='aarch64'>hvm</type></os></domain>"),
                HasSubstr("another kind"));
    EXPECT_THAT(error("<domain type='kvm'><memory unit='parsec'>1</memory></domain>"),
                HasSubstr("no memory size"));
}

}  // namespace

}  // namespace tapgate
