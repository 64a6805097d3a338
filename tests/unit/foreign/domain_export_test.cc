// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM that goes to libvirt and comes back is the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/foreign/domain/domain_xml.h"
#include "launcher/foreign/domain/export.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "tests/unit/foreign/cases.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

VmSpec described(const std::string& text) {
    return describe_vm(lab, parse_vm_file("/vm/lab.conf", text)).spec;
}

VmSpec come_back(const DomainText& domain) {
    const Translation translation = translate_domain(domain.xml, "lab.xml");
    EXPECT_EQ(translation.name, "lab");
    std::vector<Setting> settings;
    for (const auto& [key, value] : translation.settings)
        settings.push_back(command_line_setting(key, value, "/"));
    return describe_vm(lab, settings).spec;
}

TEST(DomainExport, ADirectoryByVirtiofsComesBack) {
    const DomainText domain =
        domain_text(described("memory = 1G\nshare = /srv/a,,b,tag=notes,via=virtiofs\n"
                              "share = /srv/c,tag=code,readonly=on,via=virtiofs\n"),
                    owner);
    EXPECT_THAT(domain.left_out, IsEmpty());
    EXPECT_THAT(domain.xml, HasSubstr("<access mode=\"shared\" />"));
    const VmSpec back = come_back(domain);
    ASSERT_EQ(back.shares.size(), 2U);
    EXPECT_EQ(back.shares[0].path.str(), "/srv/a,b");
    EXPECT_EQ(back.shares[0].tag, "notes");
    EXPECT_FALSE(back.shares[0].read_only);
    EXPECT_EQ(back.shares[0].via, ShareProtocol::virtiofs);
    EXPECT_EQ(back.shares[1].tag, "code");
    EXPECT_TRUE(back.shares[1].read_only);
    // It is this VM's own memory that is shared, and not one that its file keeps.
    for (const std::string& argument : back.extra_arguments)
        EXPECT_THAT(argument, testing::Not(HasSubstr("memory")));
}

TEST(DomainExport, SaysWhichUefi) {
    for (const Firmware firmware : {Firmware::uefi, Firmware::uefi_secure}) {
        const bool secure = firmware == Firmware::uefi_secure;
        const DomainText domain = domain_text(
            described(secure ? "firmware = uefi-secure\n" : "firmware = uefi\n"), owner);
        const std::string feature = secure ? R"(<feature enabled="yes" name="secure-boot" />)"
                                           : R"(<feature enabled="no" name="secure-boot" />)";
        EXPECT_THAT(domain.xml, HasSubstr(feature));
        EXPECT_EQ(come_back(domain).firmware, firmware);
    }
}

TEST(DomainExport, IsReadBackAsTheSameVm) {
    const VmSpec spec = described(
        "memory = 3G\ncpus = 4,sockets=1,cores=2,threads=2\nmachine = pc-q35-7.2\nfirmware = uefi\n"
        "disk = /a <b>&'c'.qcow2,cache=none\n"
        "disk = /d.raw,bus=scsi,serial=S1,readonly=on,discard=off,ssd=on\n"
        "disk = /e.vdi,bus=sata\n"
        "cdrom = /i.iso\n"
        "net = bridge:br-lab,mac=52:54:00:12:34:56,queues=2\n"
        "net = user,model=e1000\n"
        "display = vnc\nboot = cdrom,disk\n");
    const DomainText domain = domain_text(spec, owner);
    EXPECT_THAT(domain.left_out, IsEmpty());
    EXPECT_THAT(domain.xml, HasSubstr("<uuid>" + stable_uuid(owner, lab) + "</uuid>"));
    const VmSpec back = come_back(domain);
    EXPECT_EQ(back.memory.mebibytes(), 3072U);
    EXPECT_EQ(back.cpus.cpus(), 4U);
    EXPECT_EQ(back.cpus.threads(), 2U);
    // Of which version is for the VM's new file to write down.
    EXPECT_THAT(domain.xml, HasSubstr("machine=\"pc-q35-7.2\""));
    EXPECT_TRUE(back.machine.is_q35());
    EXPECT_EQ(back.firmware, Firmware::uefi);
    ASSERT_EQ(back.disks.size(), spec.disks.size());
    for (size_t i = 0; i < spec.disks.size(); i++) {
        EXPECT_EQ(back.disks[i].path.str(), spec.disks[i].path.str());
        EXPECT_EQ(back.disks[i].format, spec.disks[i].format) << i;
        EXPECT_EQ(back.disks[i].bus, spec.disks[i].bus) << i;
        EXPECT_EQ(back.disks[i].cache, spec.disks[i].cache) << i;
        EXPECT_EQ(back.disks[i].read_only, spec.disks[i].read_only) << i;
        EXPECT_EQ(back.disks[i].discard, spec.disks[i].discard) << i;
    }
    EXPECT_EQ(back.disks[1].serial->str(), "S1");
    EXPECT_TRUE(back.disks[1].ssd);
    EXPECT_FALSE(back.disks[0].ssd);
    ASSERT_EQ(back.cdroms.size(), 1U);
    EXPECT_EQ(back.cdroms[0].str(), "/i.iso");
    ASSERT_EQ(back.nets.size(), 2U);
    EXPECT_EQ(std::get<BridgeNet>(back.nets[0].link).bridge.str(), "br-lab");
    EXPECT_EQ(std::get<BridgeNet>(back.nets[0].link).queues, 2U);
    EXPECT_EQ(back.nets[0].mac->str(), "52:54:00:12:34:56");
    EXPECT_TRUE(std::holds_alternative<UserNet>(back.nets[1].link));
    EXPECT_EQ(back.nets[1].model, NetModel::e1000);
    // The address that this VM has of its name, it keeps under any.
    EXPECT_EQ(back.nets[1].mac->str(), stable_mac(owner, lab, 1).str());
    EXPECT_EQ(back.display, Display::vnc);
}

TEST(DomainExport, AnAdapterOfAPcStaysInItsSlot) {
    const VmSpec spec = described("machine = pc\nnet = bridge:br0,slot=3\nnet = user,slot=18\n");
    const VmSpec back = come_back(domain_text(spec, owner));
    ASSERT_EQ(back.nets.size(), 2U);
    EXPECT_EQ(back.nets[0].slot, 3U);
    EXPECT_EQ(back.nets[1].slot, 18U);
}

TEST(DomainExport, SaysWhatHasNoPlaceThere) {
    const DomainText domain =
        domain_text(described("net = user,hostfwd=tcp::0-:22\nqemu-arg = -no-reboot\nnested = on\n"
                              "cpu = qemu64\nsnapshot = on\n"),
                    owner);
    for (const char* key : {"hostfwd", "qemu-arg", "nested", "cpu = qemu64", "snapshot=on"})
        EXPECT_THAT(domain.left_out, Contains(HasSubstr(key)));
    EXPECT_THAT(domain_text(described("net = bridge:br0|user\n"), owner).left_out,
                Contains(HasSubstr("no fallback if the bridge cannot be used")));
}

}  // namespace
}  // namespace tapgate
