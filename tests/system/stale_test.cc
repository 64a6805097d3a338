// SPDX-License-Identifier: GPL-2.0-or-later
//
// Stale taps go at their owner's next run on their bridge, and by --reap, which for root removes
// those of all users. Taps in use never go, whatever they look like and whenever they come into
// use.

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <algorithm>
#include <cerrno>

#include <gmock/gmock.h>

#include "tests/system/hostile.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr unsigned vnet_tap_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

HelperOptions as_root() {
    HelperOptions options;
    options.uid = 0;
    options.gid = 0;
    return options;
}

class Stale : public BothInstalls {
  protected:
    void prepare() override {
        add_bridge("br0");
        add_bridge("br1");
        write_policy("allow all\n");
    }

    // Leaves a tap of alice's on the bridge that nobody has open.
    static std::string leave_one(const std::string& bridge) {
        const HelperResult run = run_helper({"--fd=27", "--br=" + bridge, "--use-vnet"});
        EXPECT_TRUE(granted(run));
        const AsUser alice(alice_account);
        EXPECT_EQ(set_persistent(run.fds.at(0).get(), true), 0);
        return tap_name(run.fds.at(0).get());
    }

    // In any order: the kernel lists links by their numbers, and those of taps are random.
    static testing::AssertionResult reaps(std::vector<std::string> names,
                                          const HelperOptions& options = as_root()) {
        const HelperResult run = run_helper({"--reap"}, options);
        std::string expected;
        std::sort(names.begin(), names.end(), [&](const auto& a, const auto& b) {
            return run.out.find(a + ":") < run.out.find(b + ":");
        });
        for (const std::string& name : names)
            expected += name + ": nobody had it open; removed\n";
        if (run.exit_status == 0 && run.out == expected && run.err.empty())
            return testing::AssertionSuccess();
        return testing::AssertionFailure() << describe(run);
    }
};
TAPGATE_BOTH_INSTALLS(Stale);

// --- Gone

TEST_P(Stale, GoesWithItsOwnersNextRunOnTheBridge) {
    for (const char* policy : {"allow all\n", "allow all contain\n", "allow all max-taps=1\n",
                               "allow all plain max-taps=1\n"}) {
        write_policy("allow all\n");
        const std::string on_br0 = leave_one("br0");
        const std::string on_br1 = leave_one("br1");
        EXPECT_THAT(taps(), UnorderedElementsAre(on_br0, on_br1));
        write_policy(policy);
        // Another user's run leaves it alone: while his stopped helper looked at it, the tap would
        // be in use.
        EXPECT_TRUE(granted(run_helper(usual_args, as(bob_account)))) << policy;
        EXPECT_TRUE(link_exists(on_br0));
        // Her own limit does not stand in the way.
        HelperResult run = run_helper(usual_args);
        EXPECT_TRUE(granted(run)) << policy;
        EXPECT_FALSE(link_exists(on_br0));
        EXPECT_THAT(ports("br1"), ElementsAre(on_br1)) << "another bridge's";
        run.fds.clear();
        run = run_helper({"--fd=27", "--br=br1"});
        EXPECT_TRUE(granted(run)) << policy;
        EXPECT_THAT(ports("br1"), ElementsAre(tap_name(run.fds.at(0).get())));
        run.fds.clear();
        ASSERT_TRUE(no_taps_left());
    }
}

TEST_P(Stale, GoesFromACrowdedBridgeToo) {
    std::vector<HelperResult> live;
    for (int i = 0; i < 300; ++i) {
        live.push_back(run_helper(usual_args, as(bob_account)));
        ASSERT_TRUE(granted(live.back())) << "after " << i;
    }
    for (const char* policy : {"allow all\n", "allow all plain max-taps=1\n"}) {
        write_policy("allow all\n");
        leave_one("br0");
        write_policy(policy);
        EXPECT_TRUE(granted(run_helper(usual_args)));
        EXPECT_EQ(ports("br0").size(), 300U);
    }
}

TEST_P(Stale, ReapRemovesThemFromAllBridges) {
    const HelperResult live = run_helper(usual_args);
    ASSERT_TRUE(granted(live));
    EXPECT_TRUE(reaps({}));
    const std::string first = leave_one("br0");
    const std::string second = leave_one("br1");
    EXPECT_TRUE(reaps({first, second}));
    EXPECT_THAT(taps(), ElementsAre(tap_name(live.fds.at(0).get())));
    EXPECT_TRUE(reaps({}));
}

TEST_P(Stale, ReapOfAUserRemovesHisOwn) {
    const std::string first = leave_one("br0");
    const std::string second = leave_one("br1");
    EXPECT_EQ(run_helper({"--reap"}, as(bob_account)).out, "");
    EXPECT_THAT(taps(), UnorderedElementsAre(first, second));
    EXPECT_TRUE(reaps({first, second}, {}));
    EXPECT_THAT(taps(), IsEmpty());
}

// Root took it off the bridge, and still nobody has it open.
TEST_P(Stale, ReapRemovesWhatIsOnNoBridge) {
    const std::string name = leave_one("br0");
    ASSERT_EQ(set_master(name, ""), 0);
    EXPECT_TRUE(reaps({name}));
    EXPECT_THAT(taps(), IsEmpty());
}

TEST_P(Stale, ReapWithoutPrivilegeSaysSo) {
    const std::string name = leave_one("br0");
    install(Install::plain);
    const HelperResult run = run_helper({"--reap"});
    EXPECT_EQ(run.exit_status, 1);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, testing::StartsWith("failed to remove stale taps: Operation not"));
    EXPECT_THAT(run.err, HasSubstr("chmod 4755"));
    EXPECT_THAT(taps(), ElementsAre(name));
}

// --- Not gone

TEST_P(Stale, TapsInUseStayHoweverTheyLook) {
    const HelperResult plain = run_helper(usual_args);
    const HelperResult dark = run_helper(usual_args);
    const HelperResult kept = run_helper(usual_args);
    {
        const AsUser alice(alice_account);
        EXPECT_EQ(set_carrier(dark.fds.at(0).get(), false), 0);
        EXPECT_EQ(set_persistent(kept.fds.at(0).get(), true), 0);
        EXPECT_EQ(set_carrier(kept.fds.at(0).get(), false), 0);
    }
    // A contained one looks so when its holder shuts the inner end.
    write_policy("allow all contain\n");
    const HelperResult contained = run_helper(usual_args);
    ASSERT_TRUE(granted(contained));
    const std::vector<std::string> before = taps();
    ASSERT_EQ(before.size(), 4U);
    EXPECT_TRUE(reaps({}));
    write_policy("allow all\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
    write_policy("allow all plain max-taps=9\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
    EXPECT_EQ(taps(), before);
    const AsUser alice(alice_account);
    EXPECT_EQ(set_carrier(dark.fds[0].get(), true), 0);
    EXPECT_EQ(set_carrier(kept.fds[0].get(), true), 0);
    for (const auto* run : {&plain, &dark, &kept, &contained}) {
        EXPECT_TRUE(is_alive(run->fds[0].get()));
        EXPECT_EQ(tap_flags(run->fds[0].get()) & unsigned{IFF_VNET_HDR}, unsigned{IFF_VNET_HDR});
    }
}

TEST_P(Stale, OtherPeoplesPersistentTapsStay) {
    add_persistent_tap("tap7", "br0");
    add_persistent_tap("vm1", "br1");
    ASSERT_EQ(set_alias("vm1", "the router; not tapgate uid=2001"), 0);
    // Names as others give them, and one of ours.
    const std::vector<std::string> names = {"tap0-lan",       "tap2001-odd",   "tap2001-2f3",
                                            "tap12345678-ab", "tapbr0_uplink", "tapvm_web"};
    for (const std::string& name : names)
        add_persistent_tap(name, "br0");
    ASSERT_EQ(set_alias("tap2001-odd", "tapgate uid=2002"), 0);
    EXPECT_TRUE(reaps({}));
    write_policy("allow all plain max-taps=9\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
    for (const std::string& name : names)
        EXPECT_TRUE(link_exists(name)) << name;
    EXPECT_TRUE(link_exists("tap7"));
    EXPECT_TRUE(link_exists("vm1"));
}

// Links of other kinds with the alias of a tap.
TEST_P(Stale, OtherKindsOfLinksStay) {
    add_veth("veth0", "veth1");
    ASSERT_EQ(set_master("veth0", "br0"), 0);
    ASSERT_EQ(set_alias("veth0", "tapgate uid=2001"), 0);
    EXPECT_TRUE(reaps({}));
    EXPECT_TRUE(granted(run_helper(usual_args)));
    EXPECT_TRUE(link_exists("veth0"));
}

// --- At the very moment

// Lets `meanwhile` happen right before the helper makes the ioctl.
HelperResult run_reap(unsigned long ioctl_number, const std::function<void()>& meanwhile) {
    bool done = false;
    return run_traced({"--reap"}, {}, [&](const TracedCall& call) {
        if (!done && call_name(call.number) == "ioctl" && call.args[1] == ioctl_number) {
            done = true;
            meanwhile();
        }
        return TraceAction{};
    });
}

TEST_P(Stale, ComesIntoUseRightBeforeItIsAttachedTo) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    const std::string name = leave_one("br0");
    UniqueFd again;
    const HelperResult run = run_reap(TUNSETIFF, [&] {
        const AsUser alice(alice_account);
        again = attach_tap(name, vnet_tap_flags);
    });
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    EXPECT_EQ(run.out, "");
    ASSERT_TRUE(again);
    EXPECT_TRUE(is_alive(again.get()));
    EXPECT_EQ(tap_flags(again.get()) & unsigned{IFF_VNET_HDR}, unsigned{IFF_VNET_HDR});
    // Still hers, and still persistent.
    EXPECT_NE(tap_flags(again.get()) & unsigned{IFF_PERSIST}, 0U);
    again.reset();
    EXPECT_TRUE(reaps({name}));
}

TEST_P(Stale, ComesIntoUseRightBeforeItIsLetGo) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    const std::string name = leave_one("br0");
    UniqueFd again;
    const HelperResult run = run_reap(TUNSETPERSIST, [&] {
        const AsUser alice(alice_account);
        again = attach_tap(name, vnet_tap_flags);
    });
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    EXPECT_FALSE(again) << "the helper has it open";
    EXPECT_TRUE(no_taps_left());
}

// A tap that somebody else has removed meanwhile.
TEST_P(Stale, IsGoneAlready) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    const std::string name = leave_one("br0");
    const HelperResult run = run_reap(TUNSETIFF, [&] { remove_link(name); });
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(no_taps_left());
}

// --- And without a tracer, many times

constexpr const char* stop_file = "/mnt/stop";

// alice attaches to her persistent tap, uses it and leaves it, again and again, until it is gone.
// Returns 0 if it never went while she had it.
int use_and_leave(const std::string& name, unsigned flags) {
    while (access(stop_file, F_OK) != 0) {
        const UniqueFd tap = attach_tap(name, flags);
        if (!tap && errno == EBUSY)
            continue;
        if (!tap) {
            return 0;  // there is none, or the name is somebody else's by now
        }
        // A reaper has made it transient, a moment too late to remove it.
        set_persistent(tap.get(), true);
        for (int i = 0; i < 5; ++i) {
            if (!is_alive(tap.get()))
                return 1;
            if ((Testbed::tap_flags(tap.get()) & unsigned{IFF_VNET_HDR}) == 0)
                return 2;
            usleep(100);
        }
    }
    return 0;
}

TEST_P(Stale, RaceWithAHolderWhoComesAndGoes) {
    for (int round = 0; round < (long_run() ? 200 : 8); ++round) {
        const std::string name = leave_one("br0");
        const pid_t holder = fork();
        if (holder == 0) {
            _exit(in_process_of(alice_account, [&] {
                alarm(60);
                return use_and_leave(name, vnet_tap_flags);
            }));
        }
        for (int i = 0; i < 10 && link_exists(name); ++i) {
            Crowd crowd;
            crowd.add(6, {"--reap"}, as_root());
            crowd.add(3, {"--fd=27", "--br=br0"});
            crowd.finish();
        }
        write_file(stop_file, "");
        int status = 0;
        ASSERT_EQ(waitpid(holder, &status, 0), holder);
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 0) << "round " << round;
        unlink(stop_file);
        run_helper({"--reap"});
        ASSERT_TRUE(no_taps_left());
    }
}

}  // namespace
}  // namespace tapgate
