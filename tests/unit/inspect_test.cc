// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/inspect.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>

namespace tapgate {
namespace {

using Files = std::map<std::string, PolicyText>;

ReadPolicyFile reader(const Files& files) {
    return [files](const std::string& path) {
        const auto file = files.find(path);
        return file == files.end() ? PolicyText{"", ENOENT, ""} : file->second;
    };
}

Report check_text(const std::string& text) {
    return check("p", reader({{"p", {text, 0, ""}}}));
}

TEST(Check, SaysWhenThereIsNothingToSay) {
    const Report report = check_text("allow br0\nallow br1\ndeny br2\n");
    EXPECT_EQ(report.text, "p: no mistakes found\n");
    EXPECT_EQ(report.exit_code, 0);
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
    EXPECT_EQ(check("gone", reader({})).text, "gone: No such file or directory\n");
}

TEST(Check, ReadsADraftThatIsNotRootsYet) {
    const Report report =
        check("p", reader({{"p", {"allow br0\ninclude q\n", 0, "p is not owned by root"}}}));
    EXPECT_EQ(report.text,
              "p is not owned by root\n"
              "p:2: q is left out: No such file or directory\n");
    EXPECT_EQ(report.exit_code, 1);
}

TEST(Explain, NamesTheRule) {
    const Caller caller{.uid = 1000, .gid = 1000, .privileged = false, .no_new_privs = false};
    const auto br0 = *InterfaceName::parse("br0");
    const auto br1 = *InterfaceName::parse("br1");
    const Policy policy = parse_policy(
        "p", reader({{"p", {"include mine\nallow br0\n", 0, ""}}, {"mine", {"", EACCES, ""}}}));
    const Report allowed = explain(policy, "p", br0, caller);
    EXPECT_EQ(allowed.text,
              "br0: allowed for uid 1000: p:2: allow br0\n"
              "p:1: mine is left out: Permission denied\n");
    EXPECT_EQ(allowed.exit_code, 0);
    const Report denied = explain(policy, "p", br1, caller);
    EXPECT_EQ(denied.text,
              "br1: denied for uid 1000: p: no rule allows br1\n"
              "p:1: mine is left out: Permission denied\n");
    EXPECT_EQ(denied.exit_code, 1);
}

}  // namespace
}  // namespace tapgate
