// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy_tool/inspect.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "tests/unit/helper/fake_names.h"

namespace tapgate {
namespace {

using Files = std::map<std::string, PolicyText>;

ReadPolicyFile reader(const Files& files) {
    return [files](const std::string& path) {
        const auto file = files.find(path);
        return file == files.end() ? PolicyText{"", ENOENT, ""} : file->second;
    };
}

// br0 and br1 exist; only br1's address is fixed.
Report check_files(const Files& files, const std::string& closed = "") {
    FakeNames names;
    const auto way_in = [&](const std::string& path) {
        return path == closed ? "chmod go+rX " + path : "";
    };
    return check("p", reader(files), way_in, names,
                 {{"br0", false}, {"br1", true}, {"br2", false}});
}

Report check_text(const std::string& text) {
    return check_files({{"p", {text, 0, ""}}});
}

TEST(Check, SaysWhenThereIsNothingToSay) {
    const Report report = check_text("allow br0\nallow br1\ndeny br2\n");
    EXPECT_EQ(report.text, "p: no mistakes found\n");
    EXPECT_EQ(report.exit_code, 0);
}

TEST(Check, SaysWhatTheHoldersOfPlainTapsCanDo) {
    const Report report = check_text("allow br0\nallow br1 contain\ndeny br2\nallow all plain\n");
    EXPECT_EQ(report.note,
              "note: p:1, p:4: whoever has a plain tap can take any machine's MAC address on the "
              "bridge, this host's too, and keep the tap when the VM is gone; `contain' prevents "
              "that\n");
    EXPECT_EQ(report.exit_code, 0);
    EXPECT_EQ(check_text("allow br0 max-taps=2\n").note, "");
}

TEST(Check, WarnsOfPlainThatTakesAwayWhatOtherWordsGive) {
    const Report report = check_text("allow br0 mac-lock plain\n");
    EXPECT_EQ(
        report.text,
        "p:1: `plain' gives up what the other words are for: whoever has a plain tap can take "
        "any machine's MAC address on the bridge, this host's too, and keep the tap when the "
        "VM is gone\n");
    EXPECT_EQ(report.exit_code, 1);
}

TEST(Check, FindsRulesWithoutEffect) {
    EXPECT_EQ(check_text("allow all\nallow br0\n").text,
              "p:2: allow br0 has no effect: p:1 decides first: allow all\n");
    EXPECT_EQ(check_text("allow br1\nallow br0\ndeny br0\n").text,
              "p:2: allow br0 has no effect: p:3 decides first: deny br0\n");
    EXPECT_EQ(check_text("allow br1\ndeny br0\ndeny br0\n").text,
              "p:3: deny br0 has no effect: p:2 decides first: deny br0\n");
    EXPECT_EQ(check_text("allow br0\nallow all\n").exit_code, 0);  // the exception before the rule
}

TEST(Check, FindsAPolicyThatAllowsNothing) {
    const Report report = check_text("deny br0\n");
    EXPECT_EQ(report.text, "p: no rule allows any bridge\n");
    EXPECT_EQ(report.exit_code, 1);
}

TEST(Check, ReportsMistakesWithTheirPlace) {
    const Report report = check_text("allow br0 nat\n");
    EXPECT_EQ(report.text, "p:1: unknown word `nat'\n    allow br0 nat\n              ^\n");
    EXPECT_EQ(report.exit_code, 1);
    EXPECT_EQ(check_files({}).text, "p: No such file or directory\n");
}

TEST(Check, ReadsADraftThatIsNotRootsYet) {
    const Report report =
        check_files({{"p", {"allow br0\ninclude q\n", 0, "p is not owned by root"}}});
    EXPECT_EQ(report.text,
              "p is not owned by root\n"
              "p:2: q is left out: No such file or directory\n");
    EXPECT_EQ(report.exit_code, 1);
}

TEST(Check, LooksAtSelectorsToo) {
    EXPECT_EQ(check_text("allow br0 user=alice\nallow br0\n").exit_code, 0);
    EXPECT_EQ(check_text("allow br0 group=students,staff\nallow br0 group=staff\n").text,
              "p:2: allow br0 group=staff has no effect: p:1 decides first: allow br0 "
              "group=students,staff\n");
    EXPECT_EQ(check_text("allow br0 user=alice\ndeny br0 user=bob\n").exit_code, 0);
    EXPECT_EQ(check_text("allow br0 user=alice\ndeny br0\nallow br1").text,
              "p:1: allow br0 user=alice has no effect: p:2 decides first: deny br0\n");
}

// As a directory's users, a line each: compared with each other, this would take a minute.
TEST(Check, LooksAtTensOfThousandsOfRules) {
    std::string text = "deny br0\n";
    for (int uid = 100'000; uid < 140'000; uid++)
        text += "allow br1 user=" + std::to_string(uid) + "\n";
    EXPECT_EQ(check_text(text + "allow br1 user=139999,100000\nallow br1 user=123456\n").text,
              "p:40003: allow br1 user=123456 has no effect: p:23458 decides first: allow br1 "
              "user=123456\n");
}

TEST(Check, FindsNamesThatNobodyHas) {
    EXPECT_EQ(check_text("allow br0 user=4294967296\n").text,
              "p:1: there is no user `4294967296'\n");
    EXPECT_EQ(check_text("allow br0 user=alice,carol,4711 group=student\n").text,
              "p:1: there is no user `carol'\n"
              "p:1: there is no group `student'\n");
    EXPECT_EQ(check_text("allow br0 user=broken\n").text, "p:1: failed to look up `broken'\n");
}

TEST(Check, FindsBridgesThatAreNotThere) {
    EXPECT_EQ(check_text("allow br0\nallow brO\n").text,
              "p:2: there is no bridge brO on this host now\n");
}

TEST(Check, FindsADenyThatSomeCannotRead) {
    EXPECT_EQ(check_files({{"p", {"allow br0\ninclude q\n", 0, ""}},
                           {"q", {"deny br0 user=bob\nallow br1\n", 0, ""}}},
                          "q")
                  .text,
              "q:1: this deny does not hold for users who cannot read the file: chmod go+rX q\n");
}

TEST(Check, FindsABridgeWhoseAddressCanBeTakenOver) {
    EXPECT_EQ(check_text("allow br0 no-pin-bridge-mac\nallow br1 no-pin-bridge-mac\n").text,
              "p:1: a tap's holder can take over the MAC address of br0, which is not fixed: "
              "ip link set br0 address ...\n");
    EXPECT_EQ(check_text("allow br0 no-pin-bridge-mac contain\n").exit_code, 0);
}

TEST(Explain, NamesTheRuleAndWhatItGives) {
    const auto br0 = *InterfaceName::parse("br0");
    const auto br1 = *InterfaceName::parse("br1");
    const auto br2 = *InterfaceName::parse("br2");
    const Asker alice{.uid = 1001, .groups = {1001, 3001}};
    FakeNames names;
    const Policy policy = parse_policy(
        "p", reader({{"p",
                      {"include mine\n"
                       "allow br0\n"
                       "allow br2 group=students max-taps=1 queues=4 isolated guard mac-lock=52:54 "
                       "vlan=20\n",
                       0, ""}},
                     {"mine", {"", EACCES, ""}}}));
    const Report allowed = explain(policy, "p", br0, alice, names);
    EXPECT_EQ(allowed.text,
              "br0: allowed for uid 1001: p:2: allow br0\n"
              "  at most 1 queue a tap\n"
              "  plain: the tap itself is in the host's network\n"
              "p:1: mine is left out: Permission denied\n");
    EXPECT_EQ(allowed.exit_code, 0);
    const Report denied = explain(policy, "p", br1, alice, names);
    EXPECT_EQ(denied.text,
              "br1: denied for uid 1001: p: no rule allows br1\n"
              "p:1: mine is left out: Permission denied\n");
    EXPECT_EQ(denied.exit_code, 1);
    EXPECT_EQ(
        explain(policy, "p", br2, alice, names).text,
        "br2: allowed for uid 1001: p:3: allow br2 group=students max-taps=1 queues=4 isolated "
        "guard mac-lock=52:54 vlan=20\n"
        "  at most 1 tap at a time\n"
        "  at most 4 queues a tap\n"
        "  isolated: other isolated ports cannot be reached\n"
        "  guard: spanning tree messages from the guest shut the port, or are dropped\n"
        "  mac-lock: only the MAC address that --mac= names may send; it begins with 52:54\n"
        "  access port of VLAN 20\n"
        "  contained: what is in the host's network is out of its holder's reach\n"
        "p:1: mine is left out: Permission denied\n");
}

}  // namespace
}  // namespace tapgate
