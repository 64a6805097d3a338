// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against each part of README's promise: each row is an attack, in a test bed of its
// own. Every attack must be held. With TAPGATE_ABUSE_STOCK=1, the same attacks run against QEMU's
// own helper for comparison, of which nothing is expected.
//
//   TAPGATE_HELPER=... TAPGATE_ABUSE_STOCK=1 system_tests --gtest_filter='Abuse.*'
//
// The rows are in abuse_*test.cc, by what they attack. They are an overview: most attacks have more
// detailed tests elsewhere.

#pragma once

#include <linux/if_tun.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/system/hostile.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {

enum class Outcome {
    held,
    broken,
    nothing_to_break,  // this helper lacks what the attack is about
};

Outcome held_if(bool held);
// Broken if one of them is.
Outcome all(const std::vector<Outcome>& outcomes);

constexpr unsigned vnet_tap_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

// A host with the bridges br0 and br1, the policy `allow br0`, and one of the two helpers. alice is
// hostile.
class World : public Testbed {
  public:
    explicit World(bool ours) : ours_(ours) {}
    World(const World&) = delete;
    World(World&&) = delete;
    World& operator=(const World&) = delete;
    World& operator=(World&&) = delete;
    ~World() override = default;

    // False if there is no such helper here.
    bool begin();
    bool ours() const { return ours_; }

    HelperOptions as(const Account& user) const;
    HelperOptions alice(std::function<void()> before_exec = {}) const;
    HelperResult attach(const std::vector<std::string>& args = usual_args) const;
    HelperResult attach(std::function<void()> before_exec) const;
    static void write_file_of_alices(const std::string& name, std::string_view text);

  private:
    void TestBody() override {}
    bool ours_;
};

// There is no tap, and the helper ended by itself.
Outcome refused(const HelperResult& run);
// It was granted as always, or refused: no crash, no hang, no success without a tap, no words in
// the reply.
Outcome clean(const HelperResult& run);

// --- at any moment of a request

// A system call of the helper, or of a process that it starts.
struct Moment {
    unsigned process = 0;
    unsigned index = 0;
    long number = -1;
    std::string name;  // for messages
};

// The calls of a request that is granted: with TAPGATE_LONG=1 all of them, otherwise those that
// make, change, send or wait for something, and of these one in `every`, beginning at random, so
// that the runs together see all (a failure names its moment). Afterwards the world is as before.
std::vector<Moment> moments_of(const World& world, const std::vector<std::string>& args,
                               std::size_t every = 1);

// A request during which `act` is done at `moment`, while the process that makes the call stands
// still. What `act` returns is done to the call.
HelperResult attach_with(const World& world, const std::vector<std::string>& args,
                         const Moment& moment,
                         const std::function<TraceAction(const TracedCall&)>& act);
// The same with `act` at each call.
HelperResult attach_with(const World& world, const std::vector<std::string>& args,
                         const std::function<void(const TracedCall&)>& act);

// Whether the host's network becomes what it was, within a limit that is for busy machines; prints
// what differs on stderr.
bool is_as_before(const std::string& before, const std::string& when);

// Gets all queues that the user can get, of any tap in the host's network.
void attach_to_anything(const Account& user, std::vector<UniqueFd>* queues);

struct Attack {
    std::string name;
    std::function<Outcome(const World&)> act;
    bool outside_the_promise = false;  // as SECURITY.md says; it is shown, and nothing is expected
};

using Attacks = std::vector<Attack>;

// Prints this part of the table, and fails for each of `attacks` that was not held.
void expect_held(const std::string& title, const Attacks& attacks);

}  // namespace tapgate
