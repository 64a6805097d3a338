// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/lab/plan.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::HasSubstr;

VmSpec spec(const std::string& name, const std::string& lines) {
    std::vector<Setting> settings = parse_vm_file("/v/x.conf", lines);
    return describe_vm(VmName::parse(name).value(), settings).spec;
}

LabFacts facts(std::uint64_t memory, const std::string& limits, unsigned taken = 0) {
    LabFacts facts{.memory_available = memory, .network = {}, .user = 1000};
    HostLink bridge;
    bridge.index = 7;
    bridge.name = "br0";
    bridge.bridge = BridgeFacts{};
    facts.network.links.push_back(bridge);
    for (int i = 0; i < static_cast<int>(taken); i++) {
        HostLink tap;
        tap.index = 10 + i;
        tap.name = "tap" + std::to_string(i);
        tap.alias = "tapgate uid=1000 vm=x" + std::to_string(i);
        tap.kind = "tun";
        tap.master = bridge.index;
        tap.carrier = true;
        tap.port = PortFacts{};
        facts.network.links.push_back(tap);
    }
    facts.verdicts["br0"] = {.answered = true,
                             .allowed = true,
                             .text = "br0: allowed for uid 1000: /p:1: allow br0\n" + limits};
    return facts;
}

std::string room_error(const std::vector<VmSpec>& vms, const LabFacts& host,
                       ExitCode code = ExitCode::failed) {
    try {
        check_lab_room(vms, host);
    } catch (const LauncherError& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        return error.what();
    }
    return "none";
}

const std::vector<VmSpec> three = {spec("a", "memory = 100M"), spec("b", "memory = 100M"),
                                   spec("c", "memory = 100M\nnet = user")};

TEST(LabRoom, MemoryIsForAll) {
    EXPECT_EQ(room_error(three, facts(444, "")), "none");
    EXPECT_THAT(room_error(three, facts(443, "")),
                HasSubstr("3 VMs to start, which take 444 MiB with 48 MiB of QEMU's own for each, "
                          "and this host has 443 MiB to spare; less"));
    LabFacts job = facts(443, "");
    job.memory_limit = 500;
    EXPECT_THAT(room_error(three, job),
                HasSubstr("and 443 MiB are to spare of the limit of this job "
                          "or session, 500 MiB; less"));
}

TEST(LabRoom, QuotaCountsWhatIsTaken) {
    const std::string two = "  at most 2 taps at a time\n";
    EXPECT_EQ(room_error(three, facts(9999, two)), "none");
    EXPECT_THAT(room_error(three, facts(9999, two, 1), ExitCode::refused),
                HasSubstr("2 taps needed on br0, and you may have 2, of which 1 is in use"));
    LabFacts of_others = facts(9999, two, 2);
    for (HostLink& link : of_others.network.links)
        if (link.name == "tap0")
            link.carrier = false;  // stale
        else
            link.alias = "tapgate uid=1001 vm=x";
    EXPECT_EQ(room_error(three, of_others), "none");
}

TEST(LabRoom, QueuesOfATap) {
    const std::vector<VmSpec> vms = {spec("a", "net = bridge:br0,queues=4")};
    EXPECT_EQ(room_error(vms, facts(9999, "")), "none");
    EXPECT_EQ(room_error(vms, facts(9999, "  at most 4 queues a tap\n")), "none");
    EXPECT_THAT(room_error(vms, facts(9999, "  at most 1 queue a tap\n"), ExitCode::refused),
                HasSubstr("may have 1 queue"));
    EXPECT_EQ(most_taps("br0: ...\n  at most 4 queues a tap\n  at most 1 tap at a time\n"), 1U);
    EXPECT_EQ(most_taps("br0: at most 7 taps\n"), std::nullopt);
}

TEST(LabRoom, BridgesHaveToBeThereAndAllowed) {
    LabFacts denied = facts(9999, "");
    denied.verdicts["br0"] = {.answered = true, .allowed = false, .text = "br0: denied for uid 1"};
    EXPECT_THAT(room_error(three, denied, ExitCode::refused), HasSubstr("denied for uid 1"));
    LabFacts broken = facts(9999, "");
    broken.verdicts["br0"] = {.answered = false, .allowed = false, .text = "no such file"};
    EXPECT_THAT(room_error(three, broken), HasSubstr("no such file"));
    LabFacts missing = facts(9999, "");
    missing.network.links.clear();
    EXPECT_THAT(room_error(three, missing), HasSubstr("there is no bridge br0"));
    EXPECT_EQ(room_error({spec("a", "net = bridge:br0|user")}, missing), "none");
}

TEST(LabConflicts, DisksAndAddresses) {
    const auto conflict = [](const std::string& lines) {
        return error_of([&] { check_lab_conflicts({spec("a", lines), spec("b", lines)}); });
    };
    EXPECT_THAT(conflict("disk = x.qcow2"), HasSubstr("/v/x.qcow2 would be of a and of b"));
    EXPECT_EQ(conflict("disk = x.qcow2,readonly=on"), "none");
    EXPECT_EQ(conflict("disk = x.qcow2\nsnapshot = on"), "none");
    EXPECT_THAT(conflict("net = bridge:br0,mac=52:54:00:12:34:56"), HasSubstr("the same MAC"));
    EXPECT_EQ(conflict("net = user,mac=52:54:00:12:34:56"), "none");
}

TEST(LabConflicts, ForwardedPorts) {
    const auto conflict = [](const std::string& one, const std::string& other) {
        return error_of([&] {
            check_lab_conflicts(
                {spec("a", "net = user,hostfwd=" + one), spec("b", "net = user,hostfwd=" + other)});
        });
    };
    EXPECT_THAT(conflict("tcp::2222-:22", "tcp:127.0.0.1:2222-:80"),
                HasSubstr("hostfwd=tcp:127.0.0.1:2222-:80 of b takes the port that a has by "
                          "hostfwd=tcp:127.0.0.1:2222-:22; give each its own with {n} in it"));
    EXPECT_THAT(conflict("tcp:0.0.0.0:2222-:22", "tcp::2222-:22"), HasSubstr("that a has"));
    EXPECT_THAT(conflict("tcp::2222-:22", "tcp:0.0.0.0:2222-:22"), HasSubstr("that a has"));
    EXPECT_EQ(conflict("tcp::2222-:22", "udp::2222-:22"), "none");
    EXPECT_EQ(conflict("tcp::2222-:22", "tcp::2223-:22"), "none");
    EXPECT_EQ(conflict("tcp:127.0.0.1:2222-:22", "tcp:127.0.0.2:2222-:22"), "none");
    EXPECT_EQ(conflict("tcp::0-:22", "tcp::0-:22"), "none");
    EXPECT_EQ(conflict("tcp::2222-:22\non = slurm", "tcp::2222-:22"), "none");
}

}  // namespace

}  // namespace tapgate
