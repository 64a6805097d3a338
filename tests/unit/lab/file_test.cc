// SPDX-License-Identifier: GPL-2.0-or-later
//
// Labs: their files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "launcher/lab/file.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* path = "/home/t/class.conf";

std::string parse_error(const std::string& text) {
    return error_of([&] { parse_lab_file(path, text); });
}

std::vector<std::string> names_in(const Lab& lab) {
    std::vector<std::string> names;
    for (const LabVm& vm : lab_vms(lab))
        names.push_back(vm.name.str());
    return names;
}

TEST(LabFile, AByteOrderMarkMeansNothing) {
    EXPECT_THAT(names_in(parse_lab_file(path, "\xef\xbb\xbf[a]\nnet = none\n")),
                ElementsAre("class-a-1"));
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
    EXPECT_EQ(parse_error("[a]\ncounts = 3\n"),
              "/home/t/class.conf:2: unknown key `counts' (did you mean `count'?)\n"
              "    counts = 3\n"
              "    ^");
    EXPECT_EQ(parse_error("[a]\n\nmemroy = 3G\n"),
              "/home/t/class.conf:3: unknown key `memroy' (did you mean `memory'?)\n"
              "    memroy = 3G\n"
              "    ^");
    EXPECT_EQ(parse_error("[a]\ncount = 0\n"),
              "/home/t/class.conf:2: `0' is not a number from 1 to 999\n"
              "    count = 0\n"
              "            ^");
    EXPECT_EQ(parse_error("[server]\n[b]\n  after = sever:ssh\n"),
              "/home/t/class.conf:3: there is no section [sever] (did you mean `server'?)\n"
              "      after = sever:ssh\n"
              "              ^");
    EXPECT_EQ(parse_error("[a]\n[b\n"),
              "/home/t/class.conf:2: a section is like [server]\n    [b\n    ^");
    EXPECT_THAT(parse_error("count = 3\n[a]\n"),
                HasSubstr(":1: unknown key `count' here: it stands in a section, like [server]"));
    EXPECT_THAT(parse_error("[a]\nparallel = 3\n"),
                HasSubstr(":2: unknown key `parallel' here: it stands above the first section"));
    EXPECT_THAT(parse_error("[a]\ncount = 3\ncount = 4\n"), HasSubstr("stands already in line 2"));
    EXPECT_THAT(parse_error("[a]\n[b]\n[a]\n"), HasSubstr(":3: there is a section [a] already"));
    EXPECT_THAT(parse_error("[a/b]\n"), HasSubstr(":1: `a/b' is not a section's name"));
    EXPECT_THAT(parse_error("[]\n"), HasSubstr(":1: `' is not a section's name"));
    EXPECT_THAT(parse_error("[a]\nafter = a:agents\n"), HasSubstr("(did you mean `agent'?)"));
    EXPECT_THAT(parse_error("[a]\ntemplate = ../x\n"), HasSubstr(":2: `../x' is not a name"));
    EXPECT_THAT(parse_error("[a]\ntemplate = t\ndisk = x.qcow2\n"),
                HasSubstr(":3: the disks of [a]"));
    EXPECT_THAT(parse_error("memory = 1G\n"), HasSubstr("no section"));
    EXPECT_THAT(parse_error(""), HasSubstr("no section"));
    EXPECT_THAT(parse_error(std::string("[a]\nmemory = 1\0G\n", 17)), HasSubstr(":2: "));
}

TEST(LabFile, NobodyWaitsForItself) {
    EXPECT_THAT(parse_error("[a]\nafter = a\n"), HasSubstr(":1: [a] waits by `after' for itself"));
    EXPECT_THAT(parse_error("[c]\n[a]\nafter = b\n[b]\nafter = a,c\n"),
                HasSubstr(":2: [a] waits by `after' for itself"));
}

TEST(LabFile, NamesAreVmNames) {
    EXPECT_THAT(parse_error("[a-section-with-a-very-long-name-too]\ncount = 100\n"),
                HasSubstr("longer than 40 bytes"));
    EXPECT_THAT(parse_error("[a]\ncount = 999\n[b]\n"), HasSubstr("more than 999 VMs"));
    EXPECT_THAT(parse_error("name = a.\n[a]\ncount = 2\n"), "none");
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
    // As Windows' editors write it.
    EXPECT_TRUE(has_lab_mark("\xef\xbb\xbf" + lab_mark(lab) + "\r\nmemory = 1G\r\n", vm, lab));
    EXPECT_EQ(lab_of_vm_file("\xef\xbb\xbf" + lab_mark(lab) + "\r\nmemory = 1G\r\n"), "class");
}

}  // namespace

}  // namespace tapgate
