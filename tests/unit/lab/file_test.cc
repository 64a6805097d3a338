// SPDX-License-Identifier: GPL-2.0-or-later
//
// Labs: their files, what is checked before one is touched, and commands of many VMs at once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/progress_table.h"
#include "launcher/lab/file.h"
#include "launcher/lab/jobs.h"
#include "launcher/lab/plan.h"

namespace tapgate {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using State = ProgressTable::State;

constexpr const char* path = "/home/t/class.conf";

std::string error_of(const std::string& text) {
    try {
        parse_lab_file(path, text);
    } catch (const LauncherError& error) {
        return error.what();
    }
    return "no error";
}

std::vector<std::string> names_in(const Lab& lab) {
    std::vector<std::string> names;
    for (const LabVm& vm : lab_vms(lab))
        names.push_back(vm.name.str());
    return names;
}

TEST(LabFile, IsReadWhole) {
    const Lab lab = parse_lab_file(path,
                                   "# spring\n"
                                   "parallel = 3\n"
                                   "net = bridge:br-lab\n"
                                   "memory = 512M\n"
                                   "\n"
                                   "[server]\n"
                                   "template = rhce\n"
                                   "memory = 2G\n"
                                   "[client]\r\n"
                                   "  count = 2\n"
                                   "after = server:ssh,router\n"
                                   "kernel = vmlinuz\n"
                                   "append = ip=192.0.2.1{n} host={name}\n"
                                   "[ router ]\n"
                                   "net = none");
    EXPECT_EQ(lab.name.str(), "class");
    EXPECT_EQ(lab.parallel, 3U);
    EXPECT_THAT(names_in(lab), ElementsAre("class-server-1", "class-client-1", "class-client-2",
                                           "class-router-1"));
    EXPECT_EQ(lab.sections[0].base.value().str(), "rhce");
    ASSERT_EQ(lab.sections[1].after.size(), 2U);
    EXPECT_EQ(lab.sections[1].after[0].section, 0U);
    EXPECT_EQ(lab.sections[1].after[0].goal, "ssh");
    EXPECT_EQ(lab.sections[1].after[1].section, 2U);
    EXPECT_EQ(lab.sections[1].after[1].goal, "running");
}

TEST(LabFile, SectionsSettingsComeBeforeTheLabs) {
    const auto vms = lab_vms(parse_lab_file(path,
                                            "net = bridge:br-lab\nmemory = 512M\n"
                                            "[a]\nmemory = 2G\nkernel = vmlinuz\n"
                                            "append = ip=192.0.2.1{n} host={name}\n"
                                            "[b]\nnet = user\nnet = bridge:br1\n"));
    const VmSpec a = describe_lab_vm(vms[0]).spec;
    EXPECT_EQ(a.memory.mebibytes(), 2048U);
    EXPECT_EQ(std::get<BridgeNet>(a.nets.at(0).link).bridge.str(), "br-lab");
    EXPECT_EQ(a.append, "ip=192.0.2.11 host=class-a-1");
    EXPECT_EQ(a.kernel.value().str(), "/home/t/vmlinuz");
    const VmSpec b = describe_lab_vm(vms[1]).spec;
    EXPECT_EQ(b.memory.mebibytes(), 512U);
    ASSERT_EQ(b.nets.size(), 2U);
    EXPECT_EQ(std::get<BridgeNet>(b.nets[1].link).bridge.str(), "br1");
}

TEST(LabFile, NameOfItsOwn) {
    const Lab lab = parse_lab_file("/x/1 lab.conf", "name = spring\n[a]\n");
    EXPECT_THAT(names_in(lab), ElementsAre("spring-a-1"));
}

TEST(LabFile, MistakesHaveAPlace) {
    EXPECT_EQ(error_of("[a]\ncounts = 3\n"),
              "/home/t/class.conf:2: unknown key `counts' (did you mean `count'?)\n"
              "    counts = 3\n"
              "    ^");
    EXPECT_EQ(error_of("[a]\n\nmemroy = 3G\n"),
              "/home/t/class.conf:3: unknown key `memroy' (did you mean `memory'?)\n"
              "    memroy = 3G\n"
              "    ^");
    EXPECT_EQ(error_of("[a]\ncount = 0\n"),
              "/home/t/class.conf:2: `0' is not a number from 1 to 999\n"
              "    count = 0\n"
              "            ^");
    EXPECT_EQ(error_of("[server]\n[b]\n  after = sever:ssh\n"),
              "/home/t/class.conf:3: there is no section [sever] (did you mean `server'?)\n"
              "      after = sever:ssh\n"
              "              ^");
    EXPECT_EQ(error_of("[a]\n[b\n"),
              "/home/t/class.conf:2: a section is like [server]\n    [b\n    ^");
    EXPECT_THAT(error_of("count = 3\n[a]\n"), HasSubstr(":1: unknown key `count'"));
    EXPECT_THAT(error_of("[a]\nparallel = 3\n"), HasSubstr(":2: unknown key `parallel'"));
    EXPECT_THAT(error_of("[a]\ncount = 3\ncount = 4\n"), HasSubstr("stands already in line 2"));
    EXPECT_THAT(error_of("[a]\n[b]\n[a]\n"), HasSubstr(":3: there is a section [a] already"));
    EXPECT_THAT(error_of("[a/b]\n"), HasSubstr(":1: `a/b' is not a section's name"));
    EXPECT_THAT(error_of("[]\n"), HasSubstr(":1: `' is not a section's name"));
    EXPECT_THAT(error_of("[a]\nafter = a:agents\n"), HasSubstr("(did you mean `agent'?)"));
    EXPECT_THAT(error_of("[a]\ntemplate = ../x\n"), HasSubstr(":2: `../x' is not a name"));
    EXPECT_THAT(error_of("[a]\ntemplate = t\ndisk = x.qcow2\n"), HasSubstr(":3: the disks of [a]"));
    EXPECT_THAT(error_of("memory = 1G\n"), HasSubstr("no section"));
    EXPECT_THAT(error_of(""), HasSubstr("no section"));
    EXPECT_THAT(error_of(std::string("[a]\nmemory = 1\0G\n", 17)), HasSubstr(":2: "));
}

TEST(LabFile, NobodyWaitsForItself) {
    EXPECT_THAT(error_of("[a]\nafter = a\n"), HasSubstr(":1: [a] waits by `after' for itself"));
    EXPECT_THAT(error_of("[c]\n[a]\nafter = b\n[b]\nafter = a,c\n"),
                HasSubstr(":2: [a] waits by `after' for itself"));
}

TEST(LabFile, NamesAreVmNames) {
    EXPECT_THAT(error_of("[a-section-with-a-very-long-name-too]\ncount = 100\n"),
                HasSubstr("longer than 40 bytes"));
    EXPECT_THAT(error_of("[a]\ncount = 999\n[b]\n"), HasSubstr("more than 999 VMs"));
    EXPECT_THAT(error_of("name = a.\n[a]\ncount = 2\n"), "no error");
}

TEST(LabFile, TheMarkIsTheLabsAndTheNames) {
    const VmName lab = VmName::parse("class").value();
    const VmName vm = VmName::parse("class-a-1").value();
    const std::string file = "# x\n" + lab_mark(lab) + "\nmemory = 1G\n";
    EXPECT_TRUE(has_lab_mark(file, vm, lab));
    EXPECT_FALSE(has_lab_mark(file, VmName::parse("mine").value(), lab)) << "a copy";
    EXPECT_FALSE(
        has_lab_mark(file, VmName::parse("class-a-1").value(), VmName::parse("class-a").value()));
    EXPECT_FALSE(has_lab_mark("memory = 1G\n", vm, lab));
}

// ---- before the first start

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
    return "no error";
}

const std::vector<VmSpec> three = {spec("a", "memory = 100M"), spec("b", "memory = 100M"),
                                   spec("c", "memory = 100M\nnet = user")};

TEST(LabRoom, MemoryIsForAll) {
    EXPECT_EQ(room_error(three, facts(444, "")), "no error");
    EXPECT_THAT(room_error(three, facts(443, "")),
                HasSubstr("3 VMs to start, which take 444 MiB with 48 MiB of QEMU's own for each, "
                          "and this host has 443 MiB"));
}

TEST(LabRoom, QuotaCountsWhatIsTaken) {
    const std::string two = "  at most 2 taps at a time\n";
    EXPECT_EQ(room_error(three, facts(9999, two)), "no error");
    EXPECT_THAT(room_error(three, facts(9999, two, 1), ExitCode::refused),
                HasSubstr("2 taps needed on br0, and you may have 2, of which 1 is in use"));
    LabFacts of_others = facts(9999, two, 2);
    for (HostLink& link : of_others.network.links)
        if (link.name == "tap0")
            link.carrier = false;  // stale
        else
            link.alias = "tapgate uid=1001 vm=x";
    EXPECT_EQ(room_error(three, of_others), "no error");
}

TEST(LabRoom, QueuesOfATap) {
    const std::vector<VmSpec> vms = {spec("a", "net = bridge:br0,queues=4")};
    EXPECT_EQ(room_error(vms, facts(9999, "")), "no error");
    EXPECT_EQ(room_error(vms, facts(9999, "  at most 4 queues a tap\n")), "no error");
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
    EXPECT_EQ(room_error({spec("a", "net = bridge:br0|user")}, missing), "no error");
}

TEST(LabConflicts, DisksAndAddresses) {
    const auto conflict = [](const std::string& lines) {
        try {
            check_lab_conflicts({spec("a", lines), spec("b", lines)});
        } catch (const LauncherError& error) {
            return std::string(error.what());
        }
        return std::string("no error");
    };
    EXPECT_THAT(conflict("disk = x.qcow2"), HasSubstr("/v/x.qcow2 would be of a and of b"));
    EXPECT_EQ(conflict("disk = x.qcow2,readonly=on"), "no error");
    EXPECT_EQ(conflict("disk = x.qcow2\nsnapshot = on"), "no error");
    EXPECT_THAT(conflict("net = bridge:br0,mac=52:54:00:12:34:56"), HasSubstr("the same MAC"));
    EXPECT_EQ(conflict("net = user,mac=52:54:00:12:34:56"), "no error");
}

// ---- what is shown

TEST(Progress, LinesAndSummary) {
    const auto now = ProgressTable::Clock::now();
    std::vector<ProgressTable::Row> rows = {
        {"web-1", "runs", State::done, now},
        {"web-10", "starting", State::busy, now - std::chrono::seconds(7)},
        {"web-2", "failed: no\nroom", State::failed, now},
        {"web-3", "", State::waiting, now}};
    EXPECT_THAT(progress_lines(rows, 80, now), ElementsAre("web-1   runs", "web-10  starting (7 s)",
                                                           "web-2   failed: no", "web-3   "));
    for (const std::string& line : progress_lines(rows, 10, now))
        EXPECT_LT(line.size(), 10U);
    EXPECT_EQ(progress_summary(rows, now), "2 of 4 done; starting: web-10 (7 s)");
}

TEST(Jobs, NotesOfATapgate) {
    EXPECT_THAT(notes_in("tapgate: a\ntapgate: /x:1: b\n    y\n    ^\n"),
                ElementsAre("a", "/x:1: b\n    y\n    ^"));
    EXPECT_THAT(notes_in("ld.so: \x1b[1mno\n"), ElementsAre("ld.so: ?[1mno"));
    EXPECT_TRUE(notes_in("").empty());
}

}  // namespace

}  // namespace tapgate
