// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/abuse.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace tapgate {
namespace {

const char* to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::held:
            return "held";
        case Outcome::broken:
            return "BROKEN";
        case Outcome::nothing_to_break:
            return "-";
    }
    return "?";
}

Outcome run(const Attack& attack, bool ours) {
    World world(ours);
    if (!world.begin()) {
        if (!testing::Test::IsSkipped())
            ADD_FAILURE() << "no helper to attack";
        return Outcome::nothing_to_break;
    }
    try {
        return attack.act(world);
    } catch (const std::exception& error) {
        ADD_FAILURE() << attack.name << ": could not be tried: " << error.what();
        return Outcome::broken;
    }
}

bool compares_with_stock() {
    const char* const value = std::getenv("TAPGATE_ABUSE_STOCK");
    return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace

Outcome held_if(bool held) {
    return held ? Outcome::held : Outcome::broken;
}

Outcome refused(const HelperResult& run) {
    if (run.exit_status >= 124) {  // the attack's own, before the helper
        throw std::runtime_error("it could not begin: " + describe(run));
    }
    return held_if(run.fds.empty() && !run.timed_out && run.signal == 0 && run.exit_status != 0 &&
                   Testbed::no_taps_left());
}

Outcome clean(const HelperResult& run) {
    const bool granted_properly =
        run.exit_status == 0 && run.fds.size() == 1 && run.data == std::string(1, '\0');
    const bool refused_properly = run.exit_status > 0 && run.fds.empty() && run.data.empty();
    return held_if(!run.timed_out && run.signal == 0 && (granted_properly || refused_properly));
}

Outcome all(const std::vector<Outcome>& outcomes) {
    return held_if(std::find(outcomes.begin(), outcomes.end(), Outcome::broken) == outcomes.end());
}

bool World::begin() {
    SetUp();
    // IsSkipped() would not do: it is false in a test that has failed before, and what follows must
    // only happen in the testbed's namespaces.
    if (!is_set_up() || (!ours_ && !install_stock()))
        return false;
    add_bridge("br0");
    add_bridge("br1");
    write_policy("allow br0\n");
    make_directory(path("home"), 0755, alice_account.uid, alice_account.gid);
    return true;
}

HelperOptions World::as(const Account& user) const {
    HelperOptions options = tapgate::as(user);
    options.program = ours_ ? "" : stock_path();
    options.timeout = std::chrono::seconds(13);
    return options;
}

HelperOptions World::alice(std::function<void()> before_exec) const {
    HelperOptions options = as(alice_account);
    options.before_exec = std::move(before_exec);
    return options;
}

HelperResult World::attach(const std::vector<std::string>& args) const {
    return run_helper(args, alice());
}

HelperResult World::attach(std::function<void()> before_exec) const {
    return run_helper(usual_args, alice(std::move(before_exec)));
}

void World::write_file_of_alices(const std::string& name, std::string_view text) {
    write_file(path(name), text, 0644, alice_account.uid, alice_account.gid);
}

namespace {

bool changes_something(const TracedCall& call) {
    switch (call.number) {
        case SYS_ioctl:
        case SYS_sendto:
        case SYS_sendmsg:
        case SYS_recvfrom:
        case SYS_recvmsg:
        case SYS_unshare:
        case SYS_setns:
        case SYS_clone:
        case SYS_clone3:
        case SYS_fork:
        case SYS_vfork:
        case SYS_execve:
        case SYS_wait4:
        case SYS_waitid:
        case SYS_poll:
        case SYS_ppoll:
        case SYS_capset:
        case SYS_exit_group:
            return true;
        default:
            return false;
    }
}

}  // namespace

std::vector<Moment> moments_of(const World& world, const std::vector<std::string>& args,
                               std::size_t every) {
    World::run_helper(args, world.alice());  // what the first one does to the bridge stays
    World::no_taps_left();
    const std::string before = host_network();
    std::vector<Moment> moments;
    {
        const HelperResult run =
            run_traced_family(args, world.alice(), [&](const TracedCall& call) {
                if (call.index > 0 && (long_run() || changes_something(call))) {
                    moments.push_back({call.process, call.index, call.number,
                                       "call " + std::to_string(call.index) + " of process " +
                                           std::to_string(call.process) + ", " +
                                           call_name(call.number)});
                }
                return TraceAction{};
            });
        if (run.exit_status != 0)
            throw std::runtime_error("a request that is to be granted: " + describe(run));
    }
    host_network_becomes(before, std::chrono::seconds(2));
    if (long_run() || every <= 1)
        return moments;
    std::vector<Moment> some;
    for (std::size_t i = std::random_device{}() % every; i < moments.size(); i += every)
        some.push_back(moments[i]);
    return some;
}

HelperResult attach_with(const World& world, const std::vector<std::string>& args,
                         const Moment& moment,
                         const std::function<TraceAction(const TracedCall&)>& act) {
    return run_traced_family(args, world.alice(), [&](const TracedCall& call) {
        return call.process == moment.process && call.index == moment.index ? act(call)
                                                                            : TraceAction{};
    });
}

HelperResult attach_with(const World& world, const std::vector<std::string>& args,
                         const std::function<void(const TracedCall&)>& act) {
    return run_traced_family(args, world.alice(), [&](const TracedCall& call) {
        act(call);
        return TraceAction{};
    });
}

bool is_as_before(const std::string& before, const std::string& when) {
    const std::string now = host_network_becomes(before, std::chrono::seconds(3));
    if (now != before)
        std::cerr << when << ": the host's network was\n" << before << "and is\n" << now;
    return now == before;
}

void attach_to_anything(const Account& user, std::vector<UniqueFd>* queues) {
    const AsUser as(user);
    for (const std::string& name : ports_by_name()) {
        for (const int flags : {0, IFF_VNET_HDR, IFF_MULTI_QUEUE, IFF_VNET_HDR | IFF_MULTI_QUEUE}) {
            UniqueFd queue = attach_tap(name, static_cast<unsigned>(IFF_TAP | IFF_NO_PI | flags));
            if (queue)
                queues->push_back(std::move(queue));
        }
    }
}

void expect_held(const std::string& title, const Attacks& attacks) {
    TAPGATE_REQUIRE(geteuid() == 0, "root");
    const bool compare = compares_with_stock();
    std::ostringstream table;
    const auto row = [&](const std::string& name, const char* ours, const char* stock) {
        table << std::left << std::setw(82) << name << std::setw(16) << ours << stock << '\n';
    };
    row(title, "tapgate-helper", compare ? "qemu-bridge-helper" : "");
    for (const Attack& attack : attacks) {
        const Outcome ours = run(attack, true);
        row(std::string("  ") + attack.name, to_string(ours),
            compare ? to_string(run(attack, false)) : "");
        if (attack.outside_the_promise) {
            table << "    (outside the promise: see SECURITY.md)\n";
        } else {
            EXPECT_TRUE(ours != Outcome::broken) << "broken by: " << attack.name;
        }
    }
    std::cout << table.str();
}

}  // namespace tapgate
