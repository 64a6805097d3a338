// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate-policy, which says what the policy means and warns of its mistakes, for any user.

#include <unistd.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PolicyTool : public Testbed {
  protected:
    void prepare() override {
        TAPGATE_REQUIRE(!read_text(path("tapgate-policy")).empty(),
                        "tapgate-policy beside the helper");
    }
};

TEST_F(PolicyTool, SaysWhatThePolicyMeans) {
    add_bridge("br0");
    add_bridge("br1");
    write_policy("allow br0\ndeny br1\n");
    HelperResult run = ask_policy({"explain", "--br=br0"});
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("allowed for uid 2001: /etc/qemu/bridge.conf:1: allow br0\n"));
    run = ask_policy({"explain", "--br=br1"});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("/etc/qemu/bridge.conf:2: deny br1\n"));
    run = ask_policy({"explain", "br1"});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.err, HasSubstr("--br=br1"));
    for (const auto& args :
         std::vector<std::vector<std::string>>{{"check"}, {"check", policy_file}}) {
        run = ask_policy(args);
        EXPECT_EQ(run.exit_status, 0) << describe(run);
        EXPECT_THAT(run.out, HasSubstr(": no mistakes found\n"));
    }
    // It knows which bridges there are, and which have a fixed address: br1, since the grant.
    write_policy("allow br1\n");
    EXPECT_TRUE(granted(run_helper({"--br=br1", "--fd=27"})));
    write_policy(
        "allow br0 no-pin-bridge-mac\nallow br1 no-pin-bridge-mac\nallow brO user=alice\n");
    run = ask_policy({"check"});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("can take over the MAC address of br0, which is not fixed"));
    EXPECT_THAT(run.out, Not(HasSubstr("address of br1")));
    EXPECT_THAT(run.out, HasSubstr(":3: there is no bridge brO on this host now\n"));
    EXPECT_THAT(taps(), IsEmpty());
}

TEST_F(PolicyTool, WarnsOfIncludesFromOthersDirectories) {
    add_bridge("br0");
    make_directory(path("home"), 0755, alice_account.uid, alice_account.gid);
    make_directory(path("all"), 01777);
    make_directory("/etc/qemu");
    make_directory(path("home/below"));
    write_file("/etc/qemu/more.conf", "# nothing\n");
    write_file(path("home/more.conf"), "# nothing\n");
    write_file(path("home/below/more.conf"), "# nothing\n");
    ASSERT_EQ(symlink(path("home/more.conf").c_str(), "/etc/qemu/link.conf"), 0);
    ASSERT_EQ(symlink("/etc/qemu/more.conf", path("home/link.conf").c_str()), 0);
    const auto check_including = [](const std::string& file) {
        write_policy("allow br0 contain\ninclude " + file + "\n");
        return ask_policy({"check"});
    };
    HelperResult run = check_including("/etc/qemu/more.conf");
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    for (const std::string& file :
         {path("home/more.conf"), path("home/below/more.conf"), path("home/link.conf"),
          path("all/missing.conf"), std::string("/etc/qemu/link.conf")}) {
        run = check_including(file);
        EXPECT_EQ(run.exit_status, 1) << describe(run);
        EXPECT_THAT(run.out,
                    HasSubstr(file + ": others besides root can write to " + testbed_root));
    }
}

TEST_F(PolicyTool, RefusesWhatItDoesNotUnderstand) {
    write_policy("allow br0\n");
    for (const auto& args : std::vector<std::vector<std::string>>{{},
                                                                  {"explain"},
                                                                  {"explain", "br0"},
                                                                  {"explain", "--br=a/b"},
                                                                  {"explain", "--br"},
                                                                  {"check", "a", "b"},
                                                                  {"check", "--br=br0"},
                                                                  {"check", "--fd=3"},
                                                                  {"reap"}})
        EXPECT_TRUE(
            failed(ask_policy(args), "Usage: tapgate-policy explain --br=BRIDGE | check [FILE]: "));
    HelperOptions options;
    options.argv = std::vector<std::string>{};  // argc may be 0
    EXPECT_TRUE(failed(ask_policy({}, options), "Usage: "));
    EXPECT_EQ(ask_policy({"--version"}).out.substr(0, 15), "tapgate-policy ");
}

// The lesson of lxc-user-nic: a path that the caller names is opened with the caller's rights.
TEST_F(PolicyTool, ReadsNothingThatTheCallerCannotRead) {
    write_file(path("secret"), "topsecret br0\n", 0600);
    const HelperResult run = ask_policy({"check", path("secret")});
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("Permission denied"));
    EXPECT_EQ((run.out + run.err).find("topsecret"), std::string::npos) << describe(run);
}

}  // namespace
}  // namespace tapgate
