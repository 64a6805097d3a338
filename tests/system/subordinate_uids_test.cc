// SPDX-License-Identifier: GPL-2.0-or-later
//
// Subordinate uids (subuid(5)) are their owners'.

#include <unistd.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"

namespace tapgate {
namespace {

using testing::StartsWith;

// Their owner can run as one of them in the host's own user namespace, and with his own groups: a
// setuid file that he has made as that uid is all it takes.
class SubordinateUids : public BothInstalls {
  protected:
    void prepare() override {
        add_bridge("br0");
        write_file("/etc/subuid",
                   "root:1:4294967294\n"  // as LXD has it
                   "nobody-knows:400000:65536\n"
                   "alice:165536:65536\n"
                   "2002:300000:10\n");
    }

    static HelperOptions being(uid_t uid) {
        HelperOptions options;
        options.uid = uid;
        options.gid = alice_account.gid;
        options.groups = {students_gid};
        return options;
    }
    static HelperResult ask(uid_t uid) { return run_helper(usual_args, being(uid)); }
};
TAPGATE_BOTH_INSTALLS(SubordinateUids);

TEST_P(SubordinateUids, TheirTapsAreTheirOwners) {
    write_policy("allow br0 group=3001 max-taps=3\n");
    std::vector<HelperResult> runs;
    for (const uid_t uid : {alice_account.uid, 165536U, 231071U}) {
        runs.push_back(ask(uid));
        ASSERT_TRUE(granted(runs.back())) << uid;
        EXPECT_THAT(link_attribute(tap_name(runs.back().fds[0].get()), "ifalias"),
                    StartsWith("tapgate uid=2001"));
    }
    for (const uid_t uid : {alice_account.uid, 165536U, 165537U})
        EXPECT_EQ(ask(uid).exit_status, 1) << uid;
    // These uids are nobody's, or somebody else's.
    for (const uid_t uid : {165535U, 231072U, 300000U, bob_account.uid}) {
        runs.push_back(ask(uid));
        EXPECT_TRUE(granted(runs.back())) << uid;
    }
    runs.push_back(ask(300009));
    EXPECT_TRUE(granted(runs.back()));
    EXPECT_EQ(ask(300001).exit_status, 1);  // bob's fourth
    runs.push_back(ask(300010));
    EXPECT_TRUE(granted(runs.back()));
    runs.clear();
    ASSERT_TRUE(no_taps_left());
    // It is not known whose this one is.
    EXPECT_TRUE(failed_saying(ask(400000), "failed to look up user", "nobody-knows"));
}

TEST_P(SubordinateUids, AreDeniedWithTheirOwner) {
    for (const char* policy :
         {"allow br0\ndeny all user=alice\n", "allow br0\ndeny br0 user=2001\n",
          "allow br0\ndeny br0 user=165536\n", "allow br0 user=alice\n"}) {
        write_policy(policy);
        EXPECT_TRUE(failed(ask(165536), denied_by_acl)) << policy;
    }
    write_policy("allow br0\ndeny all user=bob\n");
    EXPECT_TRUE(granted(ask(165536)));
    EXPECT_TRUE(failed(ask(300003), denied_by_acl));
}

// A rule for the owner alone is the rule for his subordinate uids, too.
TEST_P(SubordinateUids, AreNoWayAroundTheirOwnersLimits) {
    write_policy("allow br0 user=alice max-taps=1 isolated\nallow br0\n");
    {
        const HelperResult owners = ask(alice_account.uid);
        ASSERT_TRUE(granted(owners));
        EXPECT_EQ(link_attribute(ports("br0").at(0), "brport/isolated"), "1");
    }
    ASSERT_TRUE(no_taps_left());
    for (const uid_t uid : {165536U, 231071U})
        EXPECT_TRUE(failed_saying(ask(uid), denied_by_acl,
                                  ":1: allow br0 user=alice max-taps=1 isolated: uid " +
                                      std::to_string(uid) +
                                      " is a subordinate one of uid 2001, who has this"))
            << uid;
    EXPECT_TRUE(granted(ask(300003)));  // bob's
}

// newuidmap(1) may read such a line in another way, or not at all. So it is not known whose uids
// those are.
TEST_P(SubordinateUids, ALineThatIsNoRangeRefuses) {
    write_policy("allow br0\n");
    for (const char* const line :
         {"alice", "alice:165536", "alice:165536:", "alice:0x286a0:65536", "alice:0503240:65536",
          "alice: 165536:65536", "alice:+165536:65536", "alice:165536:5000000000"}) {
        write_file("/etc/subuid", std::string("bob:300000:10\n") + line + "\n");
        for (const uid_t uid : {alice_account.uid, 165536U})
            EXPECT_TRUE(failed_saying(ask(uid), "/etc/subuid: `", line)) << line;
    }
    write_file("/etc/subuid", "# alice:0x286a0:65536\n\nalice:165536:0\nroot:0:4294967295");
    EXPECT_TRUE(granted(ask(165536)));
}

TEST_P(SubordinateUids, WithTwoOwnersAreRefused) {
    write_policy("allow br0\n");
    write_file("/etc/subuid", "alice:165536:65536\nbob:165540:10\n2001:165536:2\n");
    for (const uid_t uid : {165536U, 165539U, 165550U, alice_account.uid, bob_account.uid})
        EXPECT_TRUE(granted(ask(uid))) << uid;
    EXPECT_TRUE(
        failed(ask(165540), "/etc/subuid: uid 165540 is one of uid 2001's and of uid 2002's"));
    // The same for a uid whose owner is himself a subordinate uid of somebody else's. (To be one's
    // own changes nothing.)
    write_file("/etc/subuid", "bob:2001:1\nalice:165536:65536\n2002:2002:1\nbob:300000:1\n");
    EXPECT_TRUE(
        failed(ask(165536), "/etc/subuid: uid 165536 is one of uid 2001's, which is one of"));
    for (const uid_t uid : {alice_account.uid, bob_account.uid, 300000U})
        EXPECT_TRUE(granted(ask(uid))) << uid;
}

TEST_P(SubordinateUids, AFileThatIsNotRootsRefuses) {
    write_policy("allow br0\n");
    write_file("/etc/subuid", "bob:165536:65536\n", 0666);
    EXPECT_TRUE(failed_saying(ask(165536), "/etc/subuid", "chmod go-w"));
    write_file("/etc/subuid", "bob:165536:65536\n", 0644, alice_account.uid);
    EXPECT_TRUE(failed_saying(ask(165536), "/etc/subuid", "chown root"));
    write_file("/etc/subuid", "bob:165536:65536\n", 0600);
    EXPECT_TRUE(failed_saying(ask(165536), "/etc/subuid", "Permission denied"));
    unlink("/etc/subuid");
    EXPECT_TRUE(granted(ask(165536)));
}

}  // namespace
}  // namespace tapgate
