// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/abuse.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
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

Outcome all(std::initializer_list<Outcome> outcomes) {
    return held_if(std::find(outcomes.begin(), outcomes.end(), Outcome::broken) == outcomes.end());
}

bool World::begin() {
    SetUp();
    if (HasFatalFailure() || IsSkipped() || (!ours_ && !install_stock())) {
        return false;
    }
    add_bridge("br0");
    add_bridge("br1");
    write_policy("allow br0\n");
    make_directory(path("home"), 0755, kAlice.uid, kAlice.gid);
    return true;
}

HelperOptions World::as(const Account& user) const {
    HelperOptions options;
    options.uid = user.uid;
    options.gid = user.gid;
    options.program = ours_ ? "" : stock_path();
    options.timeout = std::chrono::seconds(13);
    return options;
}

HelperOptions World::alice(std::function<void()> before_exec) const {
    HelperOptions options = as(kAlice);
    options.before_exec = std::move(before_exec);
    return options;
}

HelperResult World::attach(const std::vector<std::string>& args) const {
    return run_helper(args, alice());
}

HelperResult World::attach(std::function<void()> before_exec) const {
    return run_helper(kArgs, alice(std::move(before_exec)));
}

void World::write_file_of_alices(const std::string& name, std::string_view text) {
    write_file(path(name), text, 0644, kAlice.uid, kAlice.gid);
}

void expect_held(const std::string& title, const Attacks& attacks) {
    TAPGATE_REQUIRE(geteuid() == 0, "root");
    const bool compare = compares_with_stock();
    std::ostringstream table;
    const auto row = [&](const std::string& name, const char* ours, const char* stock) {
        table << std::left << std::setw(72) << name << std::setw(16) << ours << stock << '\n';
    };
    row(title, "tapgate-helper", compare ? "qemu-bridge-helper" : "");
    for (const Attack& attack : attacks) {
        const Outcome ours = run(attack, true);
        row(std::string("  ") + attack.name, to_string(ours),
            compare ? to_string(run(attack, false)) : "");
        if (attack.outside_the_promise) {
            table << "    (outside the promise: see README)\n";
        } else {
            EXPECT_NE(ours, Outcome::broken) << attack.name;
        }
    }
    std::cout << table.str();
}

}  // namespace tapgate
