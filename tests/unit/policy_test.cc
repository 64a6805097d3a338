// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "helper/policy.h"
#include "helper/policy_parser.h"

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
    const Verdict verdict = policy.decide(*InterfaceName::parse(bridge));
    std::string text = verdict.allowed ? "allow" : "deny";
    if (verdict.rule != nullptr)
        text += " " + std::to_string(verdict.rule->place.line);
    return text;
}

std::string decide(const std::string& text, const char* bridge) {
    return decide(parse(text), bridge);
}

template <typename Source>
std::string error_of(const Source& source) {
    try {
        parse(source);
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "";
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
                             "\v\fallow br0", "allow \t br0", "\n\nallow br0\n"})
        EXPECT_EQ(decide(line, "br0").substr(0, 5), "allow") << line;
}

TEST(Policy, DescribesWhatDecided) {
    const Policy policy = parse("allow br1\n  deny   br0  \n");
    const auto br0 = *InterfaceName::parse("br0");
    const auto br2 = *InterfaceName::parse("br2");
    EXPECT_EQ(describe(policy.decide(br0), br0, "/etc/qemu/bridge.conf"),
              "/etc/qemu/bridge.conf:2: deny   br0");
    EXPECT_EQ(describe(policy.decide(br2), br2, "/etc/qemu/bridge.conf"),
              "/etc/qemu/bridge.conf: no rule allows br2");
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
    EXPECT_EQ(error_of("include bridge.conf\n"),
              "/etc/qemu/bridge.conf:1: `/etc/qemu/bridge.conf' includes itself\n"
              "    include bridge.conf\n"
              "            ^");
    EXPECT_EQ(error_of(Files{{"/etc/qemu/bridge.conf", {"include a\n", 0, ""}},
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
    EXPECT_EQ(error_of(files),
              "/etc/qemu/8:1: includes nest deeper than 8\n"
              "    include 9\n"
              "            ^");
}

TEST(PolicyInclude, AMistakeInOneIsAMistake) {
    // QEMU's reader ignores it, and with it every deny that stands behind it.
    EXPECT_EQ(error_of(Files{{"/etc/qemu/bridge.conf", {"allow br0\ninclude a\n", 0, ""}},
                             {"/etc/qemu/a", {"# ours\nfrobnicate br0\ndeny br0\n", 0, ""}}}),
              "/etc/qemu/a:2: Unknown command `frobnicate'\n"
              "    frobnicate br0\n"
              "    ^");
}

TEST(PolicyTrust, AFileThatOthersCanWriteIsNotObeyed) {
    EXPECT_EQ(
        error_of(Files{{"/etc/qemu/bridge.conf", {"allow br0", 0, "X is writable by group"}}}),
        "X is writable by group");
    EXPECT_EQ(error_of(Files{{"/etc/qemu/bridge.conf", {"allow br0\ninclude a\n", 0, ""}},
                             {"/etc/qemu/a", {"", 0, "A is not owned by root"}}}),
              "A is not owned by root");
}

TEST(PolicyErrors, TheMainFileMustBeThere) {
    EXPECT_EQ(error_of(Files{}), "/etc/qemu/bridge.conf: No such file or directory");
}

TEST(PolicyErrors, PointAtThePlace) {
    const std::map<std::string, std::string> errors = {
        {"allow\n",
         ":1: Invalid config line: allow needs a bridge, or `all'\n    allow\n         ^"},
        {"deny \n", ":1: Invalid config line: deny needs a bridge, or `all'\n    deny \n        ^"},
        {"\ninclude\n", ":2: Invalid config line: include needs a file\n    include\n           ^"},
        {"alow br0\n", ":1: Unknown command `alow'\n    alow br0\n    ^"},
        {"Allow br0\n", ":1: Unknown command `Allow'\n    Allow br0\n    ^"},
        {"allow,br0", ":1: Unknown command `allow,br0'\n    allow,br0\n    ^"},
        {"  allow br0 isolatd\n",
         ":1: unknown word `isolatd'\n      allow br0 isolatd\n                ^"},
        {"allow\tbr0\t# mine\n", ":1: unknown word `#'\n    allow\tbr0\t# mine\n         \t   \t^"},
        {"allow br0 br1\n", ":1: unknown word `br1'\n    allow br0 br1\n              ^"},
        {"deny sixteen-bytes-xx",
         ":1: name `sixteen-bytes-xx' too long: 16\n    deny sixteen-bytes-xx\n         ^"},
        {"allow br/0", ":1: `br/0' cannot be a bridge's name\n    allow br/0\n          ^"},
        {"include\t/etc/my file\n",
         ":1: Unknown command `include?/etc/my'\n    include\t/etc/my file\n    ^"},
        {"allow br0\0allow br1"s,
         ":1: a NUL byte in the line\n    allow br0?allow br1\n             ^"},
        {"allow \x1b[2J", ":1: `?[2J' cannot be a bridge's name\n    allow ?[2J\n          ^"},
    };
    for (const auto& [text, error] : errors)
        EXPECT_EQ(error_of(text), "/etc/qemu/bridge.conf" + error);
}

TEST(PolicyErrors, LongLinesAreRefusedAndNotSplit) {
    // QEMU's reader takes what stands beyond 4095 bytes for a line of its own.
    const std::string comment = "#" + std::string(4094, ' ');
    EXPECT_EQ(error_of(comment + "\nallow br0"), "");
    EXPECT_EQ(error_of(comment + " allow br0").substr(0, 65),
              "/etc/qemu/bridge.conf:1: the line is longer than 4095 bytes\n    #");
}

TEST(PolicyErrors, AWideLineIsCut) {
    const std::string error = error_of("allow " + std::string(300, 'x') + "\n");
    EXPECT_THAT(error, testing::EndsWith("\n          ^"));
    EXPECT_LT(error.size(), 400U);
}

}  // namespace
}  // namespace tapgate
