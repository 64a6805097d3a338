// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "helper/policy.h"
#include "helper/policy_parser.h"
#include "tests/unit/helper/fake_names.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using namespace std::string_literals;

// Files by name; what is not here is not there.
using Files = std::map<std::string, PolicyText>;

Policy parse(const Files& files) {
    return parse_policy("/etc/qemu/bridge.conf", [&](const std::string& path) {
        const auto file = files.find(path);
        return file == files.end() ? PolicyText{"", ENOENT, ""} : file->second;
    });
}

Policy parse(const std::string& text) {
    return parse(Files{{"/etc/qemu/bridge.conf", {text, 0, ""}}});
}

// "allow" or "deny", and the line that decided; "deny" alone when none did.
std::string decide(const Policy& policy, const char* bridge) {
    FakeNames names;
    const Verdict verdict =
        policy.decide(*InterfaceName::parse(bridge), {.uid = 1001, .groups = {1001, 3001}}, names);
    std::string text = verdict.allowed ? "allow" : "deny";
    if (verdict.rule != nullptr)
        text += " " + std::to_string(verdict.rule->place.line);
    return text;
}

std::string decide(const std::string& text, const char* bridge) {
    return decide(parse(text), bridge);
}

template <typename Source>
std::string parse_error(const Source& source) {
    return error_of<Failure>([&] { parse(source); });
}

TEST(Policy, DeniesByDefault) {
    EXPECT_EQ(decide("", "br0"), "deny");
    EXPECT_EQ(decide("# nothing\n\n   \n", "br0"), "deny");
    EXPECT_EQ(decide("allow br1", "br0"), "deny");
}

TEST(Policy, TheFirstMatchingAllowDecides) {
    EXPECT_EQ(decide("allow br0\nallow all\n", "br0"), "allow 1");
    EXPECT_EQ(decide("allow all\nallow br0\n", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br1\nallow all\n", "br0"), "allow 2");
}

TEST(Policy, AMatchingDenyWinsWhereverItStands) {
    EXPECT_EQ(decide("allow br0\ndeny br0\n", "br0"), "deny 2");
    EXPECT_EQ(decide("deny br0\nallow br0\n", "br0"), "deny 1");
    EXPECT_EQ(decide("allow all\ndeny br0\n", "br1"), "allow 1");
    EXPECT_EQ(decide("allow br0\ndeny all\n", "br0"), "deny 2");
}

TEST(Policy, NamesAreComparedWhole) {
    EXPECT_EQ(decide("allow br\nallow br00\nallow BR0\n", "br0"), "deny");
    EXPECT_EQ(decide("allow br*\n", "br0"), "deny");  // no globs, as with QEMU
    EXPECT_EQ(decide("allow ALL\n", "br0"), "deny");
}

TEST(Policy, BlanksAreWhatTheyAreToQemu) {
    for (const auto* line : {"allow br0", "  allow br0", "\tallow br0", "allow\tbr0", "allow   br0",
                             "allow br0  ", "allow br0\t", "allow br0\r", "allow br0\r\n",
                             "\fallow br0", "allow \t br0", "\n\nallow br0\n"})
        EXPECT_EQ(decide(line, "br0").substr(0, 5), "allow") << line;
}

TEST(Policy, ARuleShowsItsPlaceAndText) {
    EXPECT_EQ(parse("allow br1\n  deny   br0  \n").rules[1].str(),
              "/etc/qemu/bridge.conf:2: deny   br0");
}

// Alice (1001, in the group 3001, students) asks.
TEST(Selectors, AnyOfThemMatches) {
    EXPECT_EQ(decide("allow br0 user=alice", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 user=1001", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 user=bob,alice", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 group=students", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 group=staff,3001", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 user=bob group=students", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 user=alice group=staff", "br0"), "allow 1");
    EXPECT_EQ(decide("allow br0 user=bob", "br0"), "deny");
    EXPECT_EQ(decide("allow br0 group=staff", "br0"), "deny");
    EXPECT_EQ(decide("allow br0 user=3001 group=1002", "br0"), "deny");  // a uid is no gid
    EXPECT_EQ(decide("allow br0 user=nobody-of-that-name", "br0"), "deny");
}

TEST(Selectors, ADenyIsForThoseItIsAbout) {
    EXPECT_EQ(decide("allow br0\ndeny all user=alice", "br0"), "deny 2");
    EXPECT_EQ(decide("allow br0\ndeny all user=bob", "br0"), "allow 1");
    EXPECT_EQ(decide("deny br0 group=students\nallow br0 user=alice", "br0"), "deny 1");
}

TEST(Selectors, TheFirstAllowThatIsAboutTheAskerDecides) {
    const char* text = "allow br0 user=bob\nallow br0 group=students max-taps=2\nallow br0\n";
    EXPECT_EQ(decide(text, "br0"), "allow 2");
}

// 165536 is alice's: she can be it, and it must not be a way around what is about her.
TEST(Selectors, ASubordinateUidIsItsOwnerForWhatTakes) {
    const auto decides = [](const char* text) {
        FakeNames names;
        const Asker asker{.uid = 165536, .owner = 1001, .groups = {1001, 3001}};
        return parse(text).decide(*InterfaceName::parse("br0"), asker, names).allowed;
    };
    EXPECT_FALSE(decides("allow br0\ndeny all user=alice"));
    EXPECT_FALSE(decides("allow br0\ndeny all user=1001"));
    EXPECT_FALSE(decides("allow br0\ndeny all user=165536"));
    EXPECT_TRUE(decides("allow br0\ndeny all user=bob"));
    EXPECT_FALSE(decides("allow br0 user=alice"));
    EXPECT_TRUE(decides("allow br0 user=165536"));
    EXPECT_TRUE(decides("allow br0 group=students"));
    // What its owner has comes first is all that she has.
    EXPECT_FALSE(decides("allow br0 user=alice max-taps=1\nallow br0"));
    EXPECT_FALSE(decides("allow br0 user=bob,1001 isolated\nallow br0 user=165536"));
    EXPECT_TRUE(decides("allow br0\nallow br0 user=alice max-taps=1"));
    EXPECT_TRUE(decides("allow br1 user=alice max-taps=1\nallow br0"));
    EXPECT_TRUE(decides("allow br0 user=alice,165536 max-taps=1\nallow br0"));
    EXPECT_TRUE(decides("allow br0 user=alice group=students max-taps=1\nallow br0"));
    // That nobody has the name, it cannot find out: it is not its own that would be proof.
    EXPECT_THAT(error_of<Failure>([&] { decides("allow br0\ndeny all user=unknown"); }),
                testing::HasSubstr("failed to look up user `unknown'"));
    EXPECT_TRUE(decides("allow br0 user=165536,unknown"));
    EXPECT_EQ((Asker{.uid = 165536, .owner = 1001, .groups = {}}.account()), 1001U);
    EXPECT_EQ((Asker{.uid = 1002, .groups = {}}.account()), 1002U);
}

TEST(Selectors, OnlyNamesThatMatterAreLookedUp) {
    FakeNames names;
    const Policy policy = parse(
        "allow br1 user=one\nallow br0 user=1001,two\nallow br0 user=three\ndeny br0 user=four\n");
    const Asker asker{.uid = 1001, .groups = {1001}};
    EXPECT_TRUE(policy.decide(*InterfaceName::parse("br0"), asker, names).allowed);
    EXPECT_THAT(names.asked, testing::ElementsAre("four"));
}

TEST(Selectors, WhatCannotBeLookedUpRefuses) {
    EXPECT_THAT(error_of<Failure>([] { decide("allow br0\ndeny br0 user=broken", "br0"); }),
                testing::HasSubstr("failed to look up `broken'"));
    EXPECT_THAT(error_of<Failure>([] { decide("allow br0 group=broken", "br0"); }),
                testing::HasSubstr("failed to look up `broken'"));
    EXPECT_EQ(decide("allow br0\nallow br0 user=broken", "br0"), "allow 1");  // not asked
}

TEST(Options, AreReadWhole) {
    const Policy policy = parse(
        "allow br0 max-taps=4 queues=2 isolated guard mac-lock=52:54:AB vlan=20 no-pin-bridge-mac\n"
        "allow br1\tmac-lock\n");
    ASSERT_EQ(policy.rules.size(), 2U);
    const Rule& rule = policy.rules[0];
    EXPECT_EQ(rule.limits.max_taps, 4U);
    EXPECT_EQ(rule.limits.queues, 2U);
    EXPECT_TRUE(rule.port.isolated);
    EXPECT_TRUE(rule.port.guard);
    EXPECT_EQ(rule.port.mac_lock->str(), "52:54:ab");
    EXPECT_EQ(rule.port.vlan, 20);
    EXPECT_FALSE(rule.port.pin_bridge_mac);
    EXPECT_EQ(policy.rules[1].port.mac_lock->str(), "");
}

TEST(Options, APlainAllowAsksForNothing) {
    const Rule rule = parse("allow br0").rules[0];
    EXPECT_TRUE(rule.who.empty());
    EXPECT_FALSE(rule.limits.max_taps);
    EXPECT_FALSE(rule.limits.queues);
    EXPECT_FALSE(rule.port.isolated);
    EXPECT_FALSE(rule.port.guard);
    EXPECT_FALSE(rule.port.mac_lock);
    EXPECT_FALSE(rule.port.vlan);
    EXPECT_TRUE(rule.port.pin_bridge_mac);
}

TEST(Options, WhatLimitsOrHardensIsContained) {
    for (const auto* words : {"max-taps=1", "queues=1", "queues=8", "isolated", "guard", "mac-lock",
                              "mac-lock=52:54:00", "vlan=2", "contain", "contain isolated",
                              "user=alice max-taps=2", "no-pin-bridge-mac vlan=2"})
        EXPECT_TRUE(parse(std::string("allow br0 ") + words).rules[0].contained()) << words;
    for (const auto* words :
         {"", "user=alice", "group=students user=1001", "no-pin-bridge-mac", "plain",
          "max-taps=2 plain", "plain queues=1 isolated guard mac-lock vlan=2"})
        EXPECT_FALSE(parse(std::string("allow br0 ") + words).rules[0].contained()) << words;
}

TEST(Options, PlainAndContainExcludeEachOther) {
    EXPECT_EQ(parse_error("allow br0 contain vlan=2 plain guard"),
              "/etc/qemu/bridge.conf:1: `plain' and `contain' exclude each other\n"
              "    allow br0 contain vlan=2 plain guard\n"
              "                             ^");
    EXPECT_EQ(parse_error("allow br0 plain queues=2"),
              "/etc/qemu/bridge.conf:1: a `plain' tap has one queue\n"
              "    allow br0 plain queues=2\n"
              "                    ^");
}

TEST(Options, MistakesPointAtTheWord) {
    const std::map<std::string, std::string> errors = {
        {"max-taps", "`max-taps' needs a value: max-taps=..."},
        {"max-taps=", "`max-taps' needs a value: max-taps=..."},
        {"max-taps=0", "`max-taps=0' needs a number from 1 to 1023"},
        {"max-taps=1024", "`max-taps=1024' needs a number from 1 to 1023"},
        {"max-taps=-1", "`max-taps=-1' needs a number from 1 to 1023"},
        {"max-taps=4x", "`max-taps=4x' needs a number from 1 to 1023"},
        {"queues=254", "`queues=254' needs a number from 1 to 253"},
        {"vlan=0", "`vlan=0' needs a number from 1 to 4094"},
        {"vlan=4095", "`vlan=4095' needs a number from 1 to 4094"},
        {"isolated=yes", "`isolated' takes no value"},
        {"mac-lock=", "`mac-lock' needs a value: mac-lock=..."},
        {"mac-lock=52:5", "`mac-lock=52:5' is not the beginning of a MAC address, like 52:54:00"},
        {"mac-lock=01:00", "`mac-lock=01:00' is not the beginning of a MAC address, like 52:54:00"},
        {"user=alice,", "`user=alice,' needs names or ids, separated by commas"},
        {"user=,", "`user=,' needs names or ids, separated by commas"},
        {"group=a:b", "`group=a:b' needs names or ids, separated by commas"},
        {"user=alice\xe2\x80\x8b", "`user=alice\?\?\?' needs names or ids, separated by commas"},
        {"Isolated", "unknown word `Isolated'"},
        {"=", "unknown word `='"},
        {"contain=yes", "`contain' takes no value"},
        {"plain=1", "`plain' takes no value"},
        {"plain isolated contain", "`plain' and `contain' exclude each other"},
        {"queues=2 plain", "a `plain' tap has one queue"},
        {"isolated guard isolated", "`isolated' stands here twice"},
    };
    for (const auto& [words, error] : errors)
        EXPECT_THAT(parse_error("allow br0 " + words),
                    testing::StartsWith("/etc/qemu/bridge.conf:1: " + error + "\n"));
    for (const auto* word : {"max-taps=1", "queues=1", "isolated", "guard", "mac-lock", "vlan=1",
                             "no-pin-bridge-mac", "contain", "plain"})
        EXPECT_THAT(parse_error(std::string("deny br0 user=bob ") + word),
                    testing::HasSubstr("means nothing on a deny line"))
            << word;
    EXPECT_EQ(parse_error("deny br0 user=bob group=staff"), "none");
}

TEST(MacPrefix, IsTheBeginningOfAnAddress) {
    const auto mac = *MacAddress::parse("52:54:00:ab:cd:ef");
    EXPECT_TRUE(MacPrefix().matches(mac));
    for (const auto* text : {"52", "52:54:00", "52:54:00:AB", "52:54:00:ab:cd:ef"})
        EXPECT_TRUE(MacPrefix::parse(text)->matches(mac)) << text;
    EXPECT_FALSE(MacPrefix::parse("52:54:01")->matches(mac));
    EXPECT_TRUE(MacPrefix::parse("00"));  // 00:16:3e is a vendor's
    for (const auto* text : {"", "5", "52:", "52:5", "52:54:", "525400", "52-54", "gg", "01", "ff",
                             "52:54:00:ab:cd:ef:01", "00:00:00:00:00:00"})
        EXPECT_FALSE(MacPrefix::parse(text)) << text;
}

TEST(PolicyInclude, StandsInItsPlace) {
    const Files files = {
        {"/etc/qemu/bridge.conf", {"allow br0\ninclude bridge.conf.d/a.conf\n", 0, ""}},
        {"/etc/qemu/bridge.conf.d/a.conf", {"include b.conf\ninclude /opt/c.conf", 0, ""}},
        {"/etc/qemu/bridge.conf.d/b.conf", {"allow br1\n", 0, ""}},  // relative to the includer
        {"/opt/c.conf", {"deny br0", 0, ""}},
    };
    EXPECT_EQ(decide(parse(files), "br0"), "deny 1");
    EXPECT_EQ(decide(parse(files), "br1"), "allow 1");
}

TEST(PolicyInclude, WhatTheCallerCannotReadContributesNothing) {
    const Policy policy = parse(Files{
        {"/etc/qemu/bridge.conf", {"include alice.conf\ninclude gone.conf\nallow br0\n", 0, ""}},
        {"/etc/qemu/alice.conf", {"", EACCES, ""}},
    });
    EXPECT_EQ(decide(policy, "br0"), "allow 3");
    ASSERT_EQ(policy.skipped.size(), 2U);
    EXPECT_EQ(policy.skipped[0].file, "/etc/qemu/alice.conf");
    EXPECT_EQ(policy.skipped[0].place.str(), "/etc/qemu/bridge.conf:1");
    EXPECT_EQ(policy.skipped[0].error, EACCES);
    EXPECT_EQ(policy.skipped[1].error, ENOENT);
}

TEST(PolicyInclude, MayStandTwiceButNotInItself) {
    EXPECT_EQ(decide(parse(Files{{"/etc/qemu/bridge.conf", {"include a\ninclude a\n", 0, ""}},
                                 {"/etc/qemu/a", {"allow br0", 0, ""}}}),
                     "br0"),
              "allow 1");
    EXPECT_EQ(parse_error("include bridge.conf\n"),
              "/etc/qemu/bridge.conf:1: `/etc/qemu/bridge.conf' includes itself\n"
              "    include bridge.conf\n"
              "            ^");
    EXPECT_EQ(parse_error(Files{{"/etc/qemu/bridge.conf", {"include a\n", 0, ""}},
                                {"/etc/qemu/a", {"include bridge.conf", 0, ""}}})
                  .substr(0, 55),
              "/etc/qemu/a:1: `/etc/qemu/bridge.conf' includes itself\n");
}

TEST(PolicyInclude, NestsEightDeep) {
    Files files = {{"/etc/qemu/bridge.conf", {"include 1", 0, ""}}};
    for (int i = 1; i < 8; i++)
        files["/etc/qemu/" + std::to_string(i)] = {"include " + std::to_string(i + 1), 0, ""};
    files["/etc/qemu/8"] = {"allow br0", 0, ""};
    EXPECT_EQ(decide(parse(files), "br0"), "allow 1");
    files["/etc/qemu/8"] = {"include 9", 0, ""};
    files["/etc/qemu/9"] = {"allow br0", 0, ""};
    EXPECT_EQ(parse_error(files),
              "/etc/qemu/8:1: includes nest deeper than 8\n"
              "    include 9\n"
              "            ^");
}

TEST(PolicyInclude, AMistakeInOneIsAMistake) {
    // QEMU's reader ignores it, and with it every deny that stands behind it.
    EXPECT_EQ(parse_error(Files{{"/etc/qemu/bridge.conf", {"allow br0\ninclude a\n", 0, ""}},
                                {"/etc/qemu/a", {"# ours\nfrobnicate br0\ndeny br0\n", 0, ""}}}),
              "/etc/qemu/a:2: Unknown command `frobnicate'\n"
              "    frobnicate br0\n"
              "    ^");
}

TEST(PolicyTrust, AFileThatOthersCanWriteIsNotObeyed) {
    EXPECT_EQ(
        parse_error(Files{{"/etc/qemu/bridge.conf", {"allow br0", 0, "X is writable by group"}}}),
        "X is writable by group");
    EXPECT_EQ(parse_error(Files{{"/etc/qemu/bridge.conf", {"allow br0\ninclude a\n", 0, ""}},
                                {"/etc/qemu/a", {"", 0, "A is not owned by root"}}}),
              "A is not owned by root");
}

TEST(PolicyErrors, TheMainFileMustBeThere) {
    EXPECT_EQ(parse_error(Files{}), "/etc/qemu/bridge.conf: No such file or directory");
}

TEST(PolicyErrors, PointAtThePlace) {
    const std::map<std::string, std::string> errors = {
        {"allow\n",
         ":1: Invalid config line: allow needs a bridge, or `all'\n    allow\n         ^"},
        {"deny \n", ":1: Invalid config line: deny needs a bridge, or `all'\n    deny \n        ^"},
        {"\ninclude\n", ":2: Invalid config line: include needs a file\n    include\n           ^"},
        {"alow br0\n", ":1: Unknown command `alow'\n    alow br0\n    ^"},
        {"Allow br0\n", ":1: Unknown command `Allow'\n    Allow br0\n    ^"},
        {"\vallow br0", ":1: Unknown command `?allow'\n    ?allow br0\n    ^"},
        {"allow,br0", ":1: Unknown command `allow,br0'\n    allow,br0\n    ^"},
        {"  allow br0 isolatd\n",
         ":1: unknown word `isolatd'\n      allow br0 isolatd\n                ^"},
        {"allow\tbr0\t#mine\n", ":1: unknown word `#mine'\n    allow br0 #mine\n              ^"},
        {"allow\tbr0 ",
         ":1: Unknown command `allow br0': a tab separates only in a line without spaces\n"
         "    allow br0 \n    ^"},
        {"allow br0 br1\n", ":1: unknown word `br1'\n    allow br0 br1\n              ^"},
        {"deny sixteen-bytes-xx",
         ":1: name `sixteen-bytes-xx' too long: 16\n    deny sixteen-bytes-xx\n         ^"},
        {"allow br/0", ":1: `br/0' cannot be a bridge's name\n    allow br/0\n          ^"},
        {"include\t/etc/my file\n",
         ":1: Unknown command `include /etc/my': a tab separates only in a line without spaces\n"
         "    include /etc/my file\n    ^"},
        {"allow br0\0allow br1"s,
         ":1: a NUL byte in the line\n    allow br0?allow br1\n             ^"},
        // NOLINTNEXTLINE(misc-misleading-bidirectional): this is what is not to be shown
        {"allow br0 \xc2\x9b"s + "2J \xe2\x80\xaemax-taps",
         ":1: unknown word `??2J'\n    allow br0 ??2J ???max-taps\n              ^"},
        {"allow br0 n\xc3\xa4t=\xc3\xbc x",
         ":1: unknown word `n\xc3\xa4t=\xc3\xbc'\n    allow br0 n\xc3\xa4t=\xc3\xbc x\n            "
         "  ^"},
        {"allow br0 user=\xc3\xa4\xc3\xb6 nat",
         ":1: unknown word `nat'\n    allow br0 user=\xc3\xa4\xc3\xb6 nat\n                      "
         "^"},
        {"allow \x1b[2J", ":1: `?[2J' cannot be a bridge's name\n    allow ?[2J\n          ^"},
    };
    for (const auto& [text, error] : errors)
        EXPECT_EQ(parse_error(text), "/etc/qemu/bridge.conf" + error);
}

TEST(PolicyErrors, LongLinesAreRefusedAndNotSplit) {
    // QEMU's reader takes what stands beyond 4095 bytes for a line of its own.
    const std::string comment = "#" + std::string(4094, ' ');
    EXPECT_EQ(parse_error(comment + "\nallow br0"), "none");
    EXPECT_EQ(parse_error(comment + " allow br0").substr(0, 65),
              "/etc/qemu/bridge.conf:1: the line is longer than 4095 bytes\n    #");
}

TEST(PolicyErrors, AWideLineIsCut) {
    const std::string error = parse_error("allow " + std::string(300, 'x') + "\n");
    EXPECT_THAT(error, testing::EndsWith("\n          ^"));
    EXPECT_LT(error.size(), 400U);
}

}  // namespace
}  // namespace tapgate
