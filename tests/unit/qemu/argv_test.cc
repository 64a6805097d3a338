// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "launcher/base/error.h"
#include "launcher/qemu/argv.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"
#include "tests/unit/testing.h"

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

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The descriptors that a VM has: counted from 3 on, with vhost.
VmFds fds_of(const VmSpec& spec) {
    VmFds all;
    int next = 3;
    for (const Net& net : spec.nets) {
        const auto* const bridge = std::get_if<BridgeNet>(&net.link);
        if (bridge == nullptr)
            continue;
        NetFds& fds = all.emplace_back();
        for (unsigned i = 0; i < bridge->queues; i++) {
            fds.taps.push_back(next++);
            fds.vhosts.push_back(next++);
        }
    }
    return all;
}

// Each golden/NAME.conf has beside it golden/NAME.argv: QEMU's whole command line, a line for each
// argument. When one changes on purpose, the new one is what the failure shows below "actual".
TEST(QemuArgv, IsWhatItWas) {
    HostFacts facts = host();
    facts.bridge_mtus["br0"] = 9000;
    facts.nested_feature = "vmx";
    unsigned count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(TAPGATE_GOLDEN_DIRECTORY)) {
        if (entry.path().extension() != ".conf")
            continue;
        const std::string name = entry.path().stem().string();
        SCOPED_TRACE(name);
        const VmSpec spec = describe_vm(VmName::parse(name).value(),
                                        parse_vm_file("/vm/" + name, read(entry.path())))
                                .spec;
        facts.uefi.reset();
        if (spec.firmware != Firmware::bios)
            facts.uefi = UefiFiles{.code = {"/fw/code.fd", ImageFormat::raw},
                                   .variables_template = {"/fw/vars.fd", ImageFormat::raw},
                                   .variables = "/home/u/uefi,vars.qcow2",
                                   .needs_smm = spec.firmware == Firmware::uefi_secure};
        std::string lines;
        for (const std::string& argument : qemu_argv(spec, facts, fds_of(spec)))
            lines += argument + "\n";
        EXPECT_EQ(read(entry.path().parent_path() / (name + ".argv")), lines) << "actual:\n"
                                                                              << lines;
        count++;
    }
    EXPECT_EQ(count, 6U);
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
    EXPECT_THAT(error_of<LauncherError>([&] { qemu_argv(spec, host(), std::nullopt); }),
                HasSubstr("QEMU asks the helper for one queue only"));
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

TEST(QemuArgv, WhatTcgTranslatesHasALimitInAJob) {
    HostFacts facts = host();
    EXPECT_THAT(qemu_argv(vm({}), facts, std::nullopt), Contains("tcg"));
    facts.translated_code = 256;
    EXPECT_THAT(qemu_argv(vm({}), facts, std::nullopt), Contains("tcg,tb-size=256"));
    EXPECT_THAT(qemu_argv(vm({{"accel", "kvm"}}), facts, std::nullopt), Contains("kvm"));
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
    EXPECT_THAT(error_of<LauncherError>([&] { qemu_argv(vm({}), facts, std::nullopt); }),
                HasSubstr("the socket's path is longer than 107 bytes"));
}

}  // namespace
}  // namespace tapgate
