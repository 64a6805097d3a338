// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against "at most as many taps as the policy says".

#include <unistd.h>

#include <algorithm>

#include "tests/system/abuse.h"

namespace tapgate {
namespace {

Outcome nobody_gets_a_third(const World& world, bool kill) {
    Crowd crowd;
    crowd.add(40, kArgs, world.alice());
    std::size_t most = 0;
    crowd.disturb(kill, [&] { most = std::max(most, World::ports("br0").size()); });
    const std::vector<HelperResult> runs = crowd.finish();
    return held_if(std::max(most, World::ports("br0").size()) <= 2);
}

Attacks too_many_taps() {
    return {
        {"40 helpers at once, stopped at will, under max-taps=2",
         [](const World& world) {
             World::write_policy("allow br0 max-taps=2\n");
             return world.ours() ? nobody_gets_a_third(world, false) : Outcome::nothing_to_break;
         }},
        {"40 helpers at once, killed at will, under max-taps=2",
         [](const World& world) {
             World::write_policy("allow br0 max-taps=2\n");
             return world.ours() ? nobody_gets_a_third(world, true) : Outcome::nothing_to_break;
         }},
        {"taps that stay without any process, one after the other",
         [](const World& world) {
             for (int i = 0; i < 5; ++i) {
                 const HelperResult run = world.attach();
                 const AsUser alice(kAlice);
                 set_persistent(run.fds.at(0).get(), true);
             }
             return held_if(World::taps().size() <= 1);
         }},
        {"hiding a tap: owner, group, alias, names, carrier, bridge",
         [](const World& world) {
             if (!world.ours()) {
                 return Outcome::nothing_to_break;
             }
             World::write_policy("allow br0 max-taps=1\n");
             const HelperResult run = world.attach();
             const int tap = run.fds.at(0).get();
             {
                 const std::string name = World::tap_name(tap);
                 const std::string slot =
                     "tapgate-" + World::link_attribute("br0", "ifindex") + "-2001-0";
                 const AsUser alice(kAlice);
                 set_owner(tap, kBob.uid);
                 set_group(tap, kBob.gid);
                 set_alias(name, "tapgate uid=2002");
                 write_attribute(name, "ifalias", "mine");
                 remove_altname(name, slot);
                 rename_link(name, "mine");
                 set_master(name, "");
                 set_persistent(tap, true);
                 set_carrier(tap, false);
             }
             return held_if(world.attach().fds.empty() && World::ports("br0").size() == 1);
         }},
        {"a forged owner, by the VM's name",
         [](const World& world) {
             if (!world.ours()) {
                 return Outcome::nothing_to_break;
             }
             return all({refused(world.attach({"--br=br0", "--fd=27", "--vm=x\ntapgate uid=2002"})),
                         refused(world.attach({"--br=br0", "--fd=27", "--vm=x uid=2002"}))});
         }},
        {"a tap of his own making",
         [](const World&) {
             const AsUser alice(kAlice);
             return held_if(!attach_tap("tap%d", kFlags) && !attach_tap("br0", kFlags));
         }},
        {"reaping another user's tap that looks dead",
         [](const World& world) {
             if (!world.ours()) {
                 return Outcome::nothing_to_break;
             }
             const HelperResult bobs = World::run_helper(kArgs, world.as(kBob));
             set_persistent(bobs.fds.at(0).get(), true);
             set_carrier(bobs.fds[0].get(), false);
             world.attach({"--reap"});
             const HelperResult other = world.attach();
             set_carrier(bobs.fds[0].get(), true);
             return held_if(is_alive(bobs.fds[0].get()));
         }},
    };
}

TEST(Abuse, OfTheQuota) {
    expect_held("more taps than the policy says", too_many_taps());
}

}  // namespace
}  // namespace tapgate
