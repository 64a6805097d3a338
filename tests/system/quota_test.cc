// SPDX-License-Identifier: GPL-2.0-or-later
//
// max-taps=N is exact: with helpers in crowds, stopped and killed ones among them, with taps that
// were made under another policy, and against everything that a tap's holder can do to it.

#include <sys/syscall.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <chrono>

#include <gtest/gtest.h>

#include "tests/system/hostile.h"
#include "tests/system/netlink.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

constexpr const char* limited_policy = "allow br0 max-taps=7\n";
constexpr const char* limiting_rule = "/etc/qemu/bridge.conf:1: allow br0 max-taps=7";
constexpr std::size_t tap_limit = 7;

// Not failed(), which wants that no tap is left: here there are some.
testing::AssertionResult refused_by_limit(const HelperResult& run, std::string_view rule) {
    const std::string text = "access denied by acl file: " + std::string(rule) + ": uid 2001 has ";
    if (run.exit_status == 1 && run.fds.empty() && run.data.empty() && run.err.starts_with(text) &&
        run.err.find("all its taps on br0") != std::string::npos) {
        return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "not refused by the limit: " << describe(run);
}

class Quota : public BothInstalls {
  protected:
    void prepare() override {
        add_bridge("br0");
        write_policy(limited_policy);
    }

    static std::vector<HelperResult> at_once(unsigned count, const HelperOptions& options = {}) {
        Crowd crowd;
        crowd.add(count, usual_args, options);
        return crowd.finish();
    }
    // `count` requests of alice's, one after the other.
    static std::vector<HelperResult> in_turn(std::size_t count) {
        std::vector<HelperResult> runs;
        for (std::size_t i = 0; i < count; ++i) {
            runs.push_back(run_helper(usual_args));
            EXPECT_TRUE(granted(runs.back()));
        }
        return runs;
    }
    // A tap in the place of one that was just closed, of `limit`. The helper waits half a second
    // for the kernel to be done with that one; where the kernel is busier than that, a second
    // helper gets it.
    HelperResult in_its_place(std::size_t limit) {
        const auto begin = std::chrono::steady_clock::now();
        HelperResult run = run_helper(usual_args);
        if (run.exit_status != 0) {
            // The helper has looked 25 times, 20 ms apart.
            EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(480));
            late_++;
            for (int wait = 0; wait < 1000 && ports("br0").size() >= limit; ++wait)
                usleep(10'000);
            run = run_helper(usual_args);
        }
        return run;
    }
    int late_ = 0;  // how often that was
};
TAPGATE_BOTH_INSTALLS(Quota);

TEST_P(Quota, SevenOfAHundredAtOnceAgainAndAgain) {
    for (int round = 0; round < (long_run() ? 50 : 5); ++round) {
        const std::vector<HelperResult> runs = at_once(100);
        ASSERT_EQ(count_grants(runs), tap_limit) << "round " << round;
        for (const HelperResult& run : runs) {
            if (run.exit_status != 0) {
                ASSERT_TRUE(refused_by_limit(run, limiting_rule));
            }
        }
        EXPECT_EQ(ports("br0").size(), tap_limit);
        EXPECT_EQ(taps().size(), tap_limit);
    }
    EXPECT_TRUE(no_taps_left());
}

TEST_P(Quota, WithStoppedHelpersAmongThem) {
    for (int round = 0; round < (long_run() ? 20 : 2); ++round) {
        Crowd crowd;
        crowd.add(100, usual_args);
        crowd.disturb(false, [] { ASSERT_LE(ports("br0").size(), tap_limit); });
        const std::vector<HelperResult> runs = crowd.finish();
        EXPECT_EQ(count_grants(runs), tap_limit);
        EXPECT_EQ(ports("br0").size(), tap_limit);
    }
}

TEST_P(Quota, WithKilledHelpersAmongThem) {
    for (int round = 0; round < (long_run() ? 20 : 2); ++round) {
        {
            Crowd crowd;
            crowd.add(100, usual_args);
            crowd.disturb(true, [] { ASSERT_LE(ports("br0").size(), tap_limit); });
            // An fd that was sent counts, whatever became of the helper.
            const std::vector<HelperResult> runs = crowd.finish();
            EXPECT_LE(ports("br0").size(), tap_limit);
        }
        ASSERT_TRUE(no_taps_left());
        const std::vector<HelperResult> again = in_turn(tap_limit);
        EXPECT_TRUE(refused_by_limit(run_helper(usual_args), limiting_rule));
    }
}

// A helper that was stopped in the middle takes no slot but its own, then or later.
TEST_P(Quota, StoppedForGood) {
    Crowd stopped;
    stopped.add(20, usual_args);
    stopped.disturb(false, [] {});
    Crowd others;
    others.add(30, usual_args);
    const std::vector<HelperResult> first = stopped.finish();
    const std::vector<HelperResult> second = others.finish();
    EXPECT_EQ(count_grants(first) + count_grants(second), tap_limit);
}

TEST_P(Quota, OtherUsersAndBridgesDoNotCount) {
    add_bridge("br1");
    write_policy("allow br0 max-taps=7\nallow br1 max-taps=3\n");
    Crowd alice;
    Crowd bob;
    Crowd elsewhere;
    alice.add(30, usual_args);
    bob.add(30, usual_args, as(bob_account));
    elsewhere.add(30, {"--fd=27", "--br=br1"});
    const std::vector<HelperResult> alices = alice.finish();
    const std::vector<HelperResult> bobs = bob.finish();
    const std::vector<HelperResult> others = elsewhere.finish();
    EXPECT_EQ(count_grants(alices), tap_limit);
    EXPECT_EQ(count_grants(bobs), tap_limit);
    EXPECT_EQ(count_grants(others), 3U);
    EXPECT_EQ(ports("br0").size(), 2 * tap_limit);
    EXPECT_EQ(ports("br1").size(), 3U);
}

TEST_P(Quota, TapsOfSeveralQueuesAreOneEach) {
    Crowd crowd;
    crowd.add(40, {"--fd=27", "--br=br0", "--queues=4"});
    const std::vector<HelperResult> runs = crowd.finish();
    std::size_t grants = 0;
    for (const HelperResult& run : runs)
        grants += run.exit_status == 0 ? 1U : 0U;
    EXPECT_EQ(grants, tap_limit);
    EXPECT_EQ(ports("br0").size(), tap_limit);
}

// --- Under another policy

TEST_P(Quota, TapsFromBeforeTheLimitCount) {
    write_policy("allow br0\n");
    const std::vector<HelperResult> before = in_turn(3);
    write_policy(limited_policy);
    const std::vector<HelperResult> runs = at_once(60);
    EXPECT_EQ(count_grants(runs), tap_limit - 3);
    EXPECT_EQ(ports("br0").size(), tap_limit);
}

// The highest slots are the ones that a tap without a slot makes unavailable, and here one of them
// is in use.
TEST_P(Quota, TapsFromBeforeTheLimitCountBesideTheHighestSlots) {
    std::vector<HelperResult> first = in_turn(tap_limit);
    first.erase(first.begin(), first.begin() + 5);
    write_policy("allow br0\n");
    const std::vector<HelperResult> unlimited = in_turn(1);
    write_policy(limited_policy);
    const std::vector<HelperResult> runs = at_once(60);
    EXPECT_EQ(count_grants(runs), tap_limit - 3);
    EXPECT_EQ(ports("br0").size(), tap_limit);
}

TEST_P(Quota, LoweredBelowWhatIsThere) {
    std::vector<HelperResult> first = in_turn(tap_limit);
    write_policy("allow br0 max-taps=3\n");
    for (const HelperResult& run : at_once(20)) {
        EXPECT_TRUE(refused_by_limit(run, "/etc/qemu/bridge.conf:1: allow br0 max-taps=3"));
    }
    // The taps that are left have the highest slots of the old limit.
    first.erase(first.begin(), first.begin() + 5);
    const std::vector<HelperResult> runs = at_once(20);
    EXPECT_EQ(count_grants(runs), 1U);
    EXPECT_EQ(ports("br0").size(), 3U);
}

TEST_P(Quota, AClosedTapMakesRoom) {
    std::vector<HelperResult> first = in_turn(tap_limit);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(refused_by_limit(run_helper(usual_args), limiting_rule));
        first.erase(first.begin() + i % 7);
        first.push_back(in_its_place(tap_limit));
        ASSERT_TRUE(granted(first.back()));
    }
    EXPECT_LT(late_, 5);
}

// --- What a holder can do to his taps

struct Trick {
    const char* name;
    // Plays the trick on the tap, as its holder. It may close the fd, or append others to `kept`.
    std::function<void(UniqueFd& tap, std::vector<UniqueFd>& kept)> act;
};

const std::vector<Trick>& tricks() {
    constexpr unsigned flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    static const std::vector<Trick> all = {
        {"make it persistent",
         [](UniqueFd& tap, auto&) { EXPECT_EQ(set_persistent(tap.get(), true), 0); }},
        {"persistent, and leave it",
         [](UniqueFd& tap, auto&) {
             EXPECT_EQ(set_persistent(tap.get(), true), 0);
             tap.reset();
         }},
        {"persistent, and attach again",
         [](UniqueFd& tap, auto&) {
             const std::string name = Testbed::tap_name(tap.get());
             EXPECT_EQ(set_persistent(tap.get(), true), 0);
             tap.reset();
             EXPECT_FALSE(attach_tap(name, flags)) << "a tap of that name in the host's namespace";
         }},
        {"give it to somebody else",
         [](UniqueFd& tap, auto&) {
             EXPECT_EQ(set_owner(tap.get(), bob_account.uid), 0);
             EXPECT_EQ(set_group(tap.get(), bob_account.gid), 0);
         }},
        {"a second queue",
         [](UniqueFd& tap, auto&) {
             EXPECT_FALSE(attach_tap(Testbed::tap_name(tap.get()), flags));
             EXPECT_FALSE(attach_tap(Testbed::tap_name(tap.get()), flags | IFF_MULTI_QUEUE));
         }},
        {"another tap of the same kind",
         [](UniqueFd&, auto&) {
             EXPECT_FALSE(attach_tap("tap%d", flags));
             EXPECT_FALSE(attach_tap("tap99", flags));
         }},
        {"another MAC",
         [](UniqueFd& tap, auto&) {
             EXPECT_EQ(set_mac(tap.get(), Testbed::tap_name(tap.get()), {2, 0, 0, 0, 0, 9}), 0);
         }},
        {"no carrier", [](UniqueFd& tap, auto&) { EXPECT_EQ(set_carrier(tap.get(), false), 0); }},
        {"another name",
         [](UniqueFd& tap, auto&) {
             EXPECT_EQ(rename_link(Testbed::tap_name(tap.get()), "mine"), EPERM);
         }},
        {"another alias",
         [](UniqueFd& tap, auto&) {
             const std::string name = Testbed::tap_name(tap.get());
             EXPECT_NE(write_attribute(name, "ifalias", "tapgate uid=2002"), 0);
             EXPECT_EQ(set_alias(name, "tapgate uid=2002"), EPERM);
         }},
        {"another alternative name",
         [](UniqueFd& tap, auto&) {
             const std::string name = Testbed::tap_name(tap.get());
             EXPECT_EQ(add_altname(name, "mine"), EPERM);
         }},
        {"leave the bridge",
         [](UniqueFd& tap, auto&) {
             EXPECT_EQ(set_master(Testbed::tap_name(tap.get()), ""), EPERM);
         }},
        {"duplicates", [](UniqueFd& tap, auto& kept) { kept.emplace_back(dup(tap.get())); }},
        {"held by another process, which ends",
         [](UniqueFd& tap, auto&) {
             EXPECT_EQ(
                 in_process_of(alice_account, [&] { return set_persistent(tap.get(), true); }), 0);
             tap.reset();
         }},
    };
    return all;
}

TEST_P(Quota, NoTrickOfTheHoldersGetsAnEighth) {
    for (const Trick& trick : tricks()) {
        SCOPED_TRACE(trick.name);
        {
            std::vector<HelperResult> runs = in_turn(tap_limit);
            std::vector<UniqueFd> kept;
            for (HelperResult& run : runs) {
                const AsUser alice(alice_account);
                trick.act(run.fds[0], kept);
            }
            const std::vector<HelperResult> more = at_once(4);
            EXPECT_LE(ports("br0").size(), tap_limit);
            // Taps whose owner is bob by now do not count as his either.
            const HelperResult bobs = run_helper(usual_args, as(bob_account));
            EXPECT_TRUE(granted(bobs));
            EXPECT_LE(ports("br0").size(), tap_limit + 1);
        }
        ASSERT_TRUE(no_taps_left()) << "also the persistent ones";
    }
}

TEST_P(Quota, NoTrickWithQueuesGetsAnEighth) {
    std::vector<HelperResult> runs;
    for (std::size_t i = 0; i < tap_limit; ++i) {
        runs.push_back(run_helper({"--fd=27", "--br=br0", "--queues=2"}));
        ASSERT_TRUE(granted(runs.back(), 2));
    }
    {
        const AsUser alice(alice_account);
        for (const HelperResult& run : runs) {
            EXPECT_EQ(set_queue(run.fds[0].get(), false), 0);
            EXPECT_EQ(set_queue(run.fds[1].get(), false), 0);
        }
    }
    const std::vector<HelperResult> more = at_once(20);
    EXPECT_EQ(count_grants(more), 0U);
    EXPECT_EQ(ports("br0").size(), tap_limit);
}

// A name is a slot: what only looks like a port of alice's counts, too, whoever made it.
TEST_P(Quota, WhatIsCalledAsItsPortsAreCounts) {
    write_policy("allow br0 max-taps=1\n");
    UniqueFd root = attach_tap("tap2001-odd", IFF_TAP | IFF_NO_PI);
    ASSERT_TRUE(root);
    ASSERT_EQ(set_master("tap2001-odd", "br0"), 0);
    EXPECT_TRUE(
        refused_by_limit(run_helper(usual_args), "/etc/qemu/bridge.conf:1: allow br0 max-taps=1"));
    root.reset();
    EXPECT_TRUE(granted(run_helper(usual_args)));
}

// Another helper's port may have the name when the kernel is asked for it, and be gone when the
// helper looks what is in the way.
TEST_P(Quota, NameThatIsFreeAgainIsNoRefusal) {
    HelperResult first = run_helper(usual_args);
    ASSERT_TRUE(granted(first));
    const std::string name = ports("br0").at(0);
    first.fds.clear();
    ASSERT_TRUE(no_taps_left());
    enum { before, taken, free_again } state = before;
    const HelperResult run = run_traced(usual_args, {}, [&](const TracedCall& call) {
        const auto messages = messages_in(call);
        if (state == before && !messages.empty() && messages[0].header.nlmsg_type == RTM_NEWLINK) {
            Rtnl().add_link("bridge", name);
            state = taken;
        } else if (state == taken && call.number == SYS_ioctl) {
            remove_link(name);
            state = free_again;
        }
        return TraceAction{};
    });
    EXPECT_EQ(state, free_again);
    EXPECT_TRUE(granted(run));
}

// The kernel takes some 40 ms to let a port go whose last descriptor was closed.
TEST_P(Quota, ARestartAtOnceHasTheSlotOfTheOneBefore) {
    write_policy("allow br0 max-taps=1\n");
    const int starts = long_run() ? 300 : 30;
    for (int i = 0; i < starts; ++i) {
        ASSERT_TRUE(granted(in_its_place(1))) << "start " << i;
    }
    EXPECT_LT(late_, starts / 2);
}

// --- On a crowded bridge

TEST_P(Quota, ExactAmongFiveHundred) {
    write_policy("allow br0 user=2002\nallow br0 max-taps=7\n");
    std::vector<HelperResult> bobs;
    for (int i = 0; i < 500; ++i) {
        bobs.push_back(run_helper(usual_args, as(bob_account)));
        ASSERT_TRUE(granted(bobs.back())) << "after " << i;
    }
    const std::vector<HelperResult> runs = at_once(100);
    EXPECT_EQ(count_grants(runs), tap_limit);
    for (const HelperResult& run : runs) {
        if (run.exit_status != 0) {
            EXPECT_TRUE(refused_by_limit(run, "/etc/qemu/bridge.conf:2: allow br0 max-taps=7"));
        }
    }
    EXPECT_EQ(ports("br0").size(), 500 + tap_limit);
}

}  // namespace
}  // namespace tapgate
