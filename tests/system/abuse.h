// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against each part of README's promise: one attack a row, each in a test bed of its
// own. Every attack must be held. With TAPGATE_ABUSE_STOCK=1 the same attacks run against QEMU's
// own helper, for comparison, and nothing is expected of it.
//
//   TAPGATE_HELPER=... TAPGATE_ABUSE_STOCK=1 system_tests --gtest_filter='Abuse.*'
//
// The rows are in abuse_*test.cc, by what they attack. This is the list: most of it has a test
// elsewhere that goes into its detail.

#pragma once

#include <linux/if_tun.h>

#include <functional>
#include <initializer_list>
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
    nothing_to_break,  // this helper does not have what the attack is about
};

Outcome held_if(bool held);
// Broken when one of them is.
Outcome all(std::initializer_list<Outcome> outcomes);

constexpr unsigned vnet_tap_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

// A host with the bridges br0 and br1, `allow br0`, and one of the two helpers. alice is hostile.
class World : public Testbed {
  public:
    explicit World(bool ours) : ours_(ours) {}
    World(const World&) = delete;
    World(World&&) = delete;
    World& operator=(const World&) = delete;
    World& operator=(World&&) = delete;
    ~World() override = default;

    // False when there is no such helper here.
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

// No tap, and the helper ended by itself.
Outcome refused(const HelperResult& run);
// Done as always or refused; no crash, no hang, no success without a tap, no words in the reply.
Outcome clean(const HelperResult& run);

// --- at any moment of a request

// A call of the helper's, or of a process that it starts.
struct Moment {
    unsigned process = 0;
    unsigned index = 0;
    long number = -1;
    std::string name;  // for messages
};

// The calls of a request that is granted. All of them with TAPGATE_LONG=1, otherwise those that
// make, change, send or wait for something; of these one in `every`, from one of the first at
// random, so that the runs together see all (a failure names its moment). Ends with the world as it
// was.
std::vector<Moment> moments_of(const World& world, const std::vector<std::string>& args,
                               std::size_t every = 1);

// A request at whose `moment` `act` is done, while the process whose call it is stands still; what
// it returns is done to the call.
HelperResult attach_with(const World& world, const std::vector<std::string>& args,
                         const Moment& moment,
                         const std::function<TraceAction(const TracedCall&)>& act);
// And with `act` at each call.
HelperResult attach_with(const World& world, const std::vector<std::string>& args,
                         const std::function<void(const TracedCall&)>& act);

// Whether the host's network becomes what it was; says on stderr what is different when not. The
// limit is for busy machines.
bool is_as_before(const std::string& before, const std::string& when);

// Gets the queues that the user can get of any tap in the host's network.
void attach_to_anything(const Account& user, std::vector<UniqueFd>* queues);

struct Attack {
    std::string name;
    std::function<Outcome(const World&)> act;
    bool outside_the_promise = false;  // README says so; shown, and nothing is expected
};

using Attacks = std::vector<Attack>;

// Prints the part of the table, and fails for each of `attacks` that was not held.
void expect_held(const std::string& title, const Attacks& attacks);

}  // namespace tapgate
