// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/error.h"
#include "launcher/qemu_argv.h"
#include "launcher/vm_options.h"

namespace tapgate {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using Options = std::vector<std::pair<std::string, std::string>>;

VmSpec vm(const Options& options) {
    std::vector<Setting> settings;
    for (const auto& [key, value] : options)
        settings.push_back(command_line_setting(key, value, "/here"));
    return describe_vm(VmName::parse("lab").value(), settings).spec;
}

HostFacts host() {
    HostFacts facts;
    facts.owner = {"0123456789abcdef0123456789abcdef", 1000};
    facts.state_directory = "/run/user/1000/tapgate/lab";
    facts.helper = "/usr/libexec/tapgate-helper";
    return facts;
}

TEST(QemuArgv, OfAVmOnABridge) {
    HostFacts facts = host();
    facts.bridge_mtus["br0"] = 9000;
    EXPECT_EQ(
        shell_text(qemu_argv(vm({{"disk", "/a.qcow2"}}), facts, VmFds{{{3}, {4}}})),
        R"(qemu-system-x86_64 -name guest=lab,debug-threads=on -uuid 340d7063-5a5e-880f-b819-654ab2870474 -no-user-config -nodefaults -machine q35,vmport=off,usb=off,dump-guest-core=off,hpet=off -accel tcg -cpu max -smp cpus=1,sockets=1,cores=1,threads=1 -m size=1024M -object '{"qom-type":"iothread","id":"io0"}' -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=delay -global ICH9-LPC.disable_s3=1 -global ICH9-LPC.disable_s4=1 -boot strict=on,menu=off -chardev socket,id=console,path=/run/user/1000/tapgate/lab/console.sock,server=on,wait=off,logfile=/run/user/1000/tapgate/lab/console.log -device '{"driver":"isa-serial","chardev":"console"}' -chardev socket,id=qmp,path=/run/user/1000/tapgate/lab/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control -device '{"driver":"pcie-root-port","id":"port0","bus":"pcie.0","chassis":1,"addr":"0x2.0","multifunction":true}' -device '{"driver":"virtio-serial-pci","id":"serial0","bus":"port0"}' -chardev socket,id=agent,path=/run/user/1000/tapgate/lab/agent.sock,server=on,wait=off -device '{"driver":"virtserialport","bus":"serial0.0","chardev":"agent","name":"org.qemu.guest_agent.0"}' -blockdev '{"driver":"file","node-name":"disk0-image-file","filename":"/a.qcow2","aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false},"auto-read-only":true}' -blockdev '{"driver":"qcow2","node-name":"disk0-image","file":"disk0-image-file","discard":"unmap","cache":{"direct":false,"no-flush":false},"read-only":false,"detect-zeroes":"unmap"}' -device '{"driver":"pcie-root-port","id":"port1","bus":"pcie.0","chassis":2,"addr":"0x2.1"}' -device '{"driver":"virtio-blk-pci","iothread":"io0","id":"disk0","drive":"disk0-image","write-cache":"on","bootindex":1,"bus":"port1"}' -netdev '{"type":"tap","id":"net0","fd":"3","vhost":true,"vhostfd":"4"}' -device '{"driver":"pcie-root-port","id":"port2","bus":"pcie.0","chassis":3,"addr":"0x2.2"}' -device '{"driver":"virtio-net-pci","netdev":"net0","id":"nic0","mac":"52:54:00:0c:bd:6c","host_mtu":9000,"bootindex":2,"bus":"port2"}' -display none -device '{"driver":"pcie-root-port","id":"port3","bus":"pcie.0","chassis":4,"addr":"0x2.3"}' -device '{"driver":"virtio-rng-pci","id":"rng0","bus":"port3"}' -device '{"driver":"pcie-root-port","id":"port4","bus":"pcie.0","chassis":5,"addr":"0x2.4"}' -device '{"driver":"virtio-balloon-pci","id":"balloon0","free-page-reporting":true,"deflate-on-oom":true,"bus":"port4"}' -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -msg timestamp=on -pidfile /run/user/1000/tapgate/lab/qemu.pid)");
}

TEST(QemuArgv, OfAPcWithEverythingElse) {
    EXPECT_EQ(
        shell_text(
            qemu_argv(vm({{"machine", "pc"},
                          {"disk", "/a,,b.raw,bus=ide,cache=none,discard=off,serial=S1"},
                          {"disk", "/c.qcow2,bus=scsi,readonly=on"},
                          {"cdrom", "/it's.iso"},
                          {"net", "user,model=e1000,mac=52:54:00:00:00:01,hostfwd=tcp::0-:22"},
                          {"boot", "net,cdrom"},
                          {"kernel", "k"},
                          {"append", "console=ttyS0, quiet"},
                          {"display", "vnc"},
                          {"accel", "kvm"},
                          {"cpus", "8,sockets=2,threads=2"},
                          {"qemu-arg", "-no-reboot"}}),
                      host(), VmFds{})),
        R"(qemu-system-x86_64 -name guest=lab,debug-threads=on -uuid 340d7063-5a5e-880f-b819-654ab2870474 -no-user-config -nodefaults -machine pc,vmport=off,usb=off,dump-guest-core=off,hpet=off -accel kvm -cpu host -smp cpus=8,sockets=2,cores=2,threads=2 -m size=1024M -object '{"qom-type":"iothread","id":"io0"}' -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=delay -global PIIX4_PM.disable_s3=1 -global PIIX4_PM.disable_s4=1 -boot strict=on,menu=off -kernel /here/k -append 'console=ttyS0, quiet' -chardev socket,id=console,path=/run/user/1000/tapgate/lab/console.sock,server=on,wait=off,logfile=/run/user/1000/tapgate/lab/console.log -device '{"driver":"isa-serial","chardev":"console"}' -chardev socket,id=qmp,path=/run/user/1000/tapgate/lab/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control -device '{"driver":"virtio-serial-pci","id":"serial0"}' -chardev socket,id=agent,path=/run/user/1000/tapgate/lab/agent.sock,server=on,wait=off -device '{"driver":"virtserialport","bus":"serial0.0","chardev":"agent","name":"org.qemu.guest_agent.0"}' -device '{"driver":"virtio-scsi-pci","id":"scsi0","iothread":"io0"}' -blockdev '{"driver":"file","node-name":"disk0-image-file","filename":"/a,b.raw","aio":"threads","discard":"ignore","cache":{"direct":true,"no-flush":false},"auto-read-only":true}' -blockdev '{"driver":"raw","node-name":"disk0-image","file":"disk0-image-file","discard":"ignore","cache":{"direct":true,"no-flush":false},"read-only":false}' -device '{"driver":"ide-hd","bus":"ide.0","unit":0,"id":"disk0","drive":"disk0-image","write-cache":"on","serial":"S1"}' -blockdev '{"driver":"file","node-name":"disk1-image-file","filename":"/c.qcow2","aio":"threads","discard":"unmap","cache":{"direct":false,"no-flush":false},"auto-read-only":true}' -blockdev '{"driver":"qcow2","node-name":"disk1-image","file":"disk1-image-file","discard":"unmap","cache":{"direct":false,"no-flush":false},"read-only":true}' -device '{"driver":"scsi-hd","bus":"scsi0.0","scsi-id":1,"id":"disk1","drive":"disk1-image","write-cache":"on"}' -blockdev '{"driver":"file","node-name":"cdrom0-image-file","filename":"/it'\''s.iso","aio":"threads","read-only":true}' -blockdev '{"driver":"raw","node-name":"cdrom0-image","file":"cdrom0-image-file","read-only":true}' -device '{"driver":"ide-cd","bus":"ide.0","unit":1,"id":"cdrom0","drive":"cdrom0-image","bootindex":2}' -netdev '{"type":"user","id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]}' -device '{"driver":"e1000","netdev":"net0","id":"nic0","mac":"52:54:00:00:00:01","bootindex":1}' -vnc unix:/run/user/1000/tapgate/lab/vnc.sock -device '{"driver":"VGA","id":"vga0"}' -device '{"driver":"qemu-xhci","id":"usb0"}' -device '{"driver":"usb-tablet","bus":"usb0.0"}' -device '{"driver":"virtio-rng-pci","id":"rng0"}' -device '{"driver":"virtio-balloon-pci","id":"balloon0","free-page-reporting":true,"deflate-on-oom":true}' -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -msg timestamp=on -pidfile /run/user/1000/tapgate/lab/qemu.pid -no-reboot)");
}

TEST(QemuArgv, MoreQueuesThanOne) {
    const VmSpec spec = vm({{"net", "bridge:br0,queues=2"}});
    const auto with_vhost = qemu_argv(spec, host(), VmFds{{{3, 4}, {5, 6}}});
    EXPECT_THAT(
        with_vhost,
        Contains(R"({"type":"tap","id":"net0","fds":"3:4","vhost":true,"vhostfds":"5:6"})"));
    EXPECT_THAT(with_vhost, Contains(HasSubstr(R"("mq":true,"vectors":6)")));
    const auto without = qemu_argv(spec, host(), VmFds{{{3, 4}, {}}});
    EXPECT_THAT(without, Contains(R"({"type":"tap","id":"net0","fds":"3:4"})"));
    EXPECT_THROW(qemu_argv(spec, host(), VmFds{{{3}, {}}}), std::logic_error);
    EXPECT_THROW(qemu_argv(spec, host(), std::nullopt), LauncherError);
}

TEST(QemuArgv, OnlyAHelperOfQemusOwnCostsTheSandbox) {
    const auto bridged = qemu_argv(vm({}), host(), std::nullopt);
    EXPECT_THAT(bridged, Not(Contains("-sandbox")));
    EXPECT_THAT(
        bridged,
        Contains(
            R"({"type":"bridge","id":"net0","br":"br0","helper":"/usr/libexec/tapgate-helper"})"));
    EXPECT_THAT(qemu_argv(vm({{"net", "user"}}), host(), std::nullopt), Contains("-sandbox"));
}

TEST(QemuArgv, AHostileNameIsAName) {
    const auto argv = qemu_argv(
        vm({{"disk", "json:{\"driver\":\"nbd\"},,x\n../\xe2\x98\x83,format=raw"}, {"net", "none"}}),
        host(), VmFds{});
    EXPECT_THAT(
        argv, Contains(HasSubstr(
                  "\"filename\":\"/here/json:{\\\"driver\\\":\\\"nbd\\\"},x\\n../\xe2\x98\x83\"")));
}

TEST(QemuArgv, ASocketsPathMustFit) {
    HostFacts facts = host();
    facts.state_directory = "/" + std::string(100, 'x');
    EXPECT_THROW(qemu_argv(vm({}), facts, std::nullopt), LauncherError);
}

TEST(ShellText, QuotesForAnyShell) {
    EXPECT_EQ(shell_text({"a=b", "", "it's", "$x", "~", "a\nb", "*"}),
              "a=b '' 'it'\\''s' '$x' '~' 'a\nb' '*'");
}

TEST(Identity, HashIsSha256) {
    // FIPS 180-4's examples begin and end so.
    EXPECT_EQ(sha256("abc")[0], 0xba);
    EXPECT_EQ(sha256("abc")[31], 0xad);
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")[0], 0x24);
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")[31], 0xc1);
}

TEST(Identity, IsStableAndEveryPartCounts) {
    const auto mac = [](const std::string& machine, uid_t uid, const char* name, unsigned index) {
        return stable_mac({machine, uid}, VmName::parse(name).value(), index).str();
    };
    const std::string own = mac("m", 1000, "lab", 0);
    EXPECT_EQ(own, mac("m", 1000, "lab", 0));
    EXPECT_THAT(own, testing::StartsWith("52:54:00:"));
    for (const std::string& other : {mac("n", 1000, "lab", 0), mac("m", 1001, "lab", 0),
                                     mac("m", 1000, "lab1", 0), mac("m", 1000, "lab", 1)})
        EXPECT_NE(own, other);
}

}  // namespace
}  // namespace tapgate
