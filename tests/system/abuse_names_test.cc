// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against a `deny` that names him, by what he can do to the process that looks names
// up.

#include <cerrno>
#include <iostream>

#include "tests/system/abuse.h"

namespace tapgate {
namespace {

// A user and a group that only the name service knows: see nss_module.cc.
constexpr Account remote_account{"remote", 2101, 2101};
constexpr gid_t remote_students = 3101;

// What any user can do by prlimit(2) at that moment: the first of two services needs a descriptor,
// and cannot have one.
TraceAction silence_first_service(const TracedCall& call) {
    TraceAction action;
    if (call.process > 0 && call_name(call.number) == "openat" &&
        traced_string(call.pid, call.args[1]) == "/etc/tapgatetest")
        action.fail_with = EMFILE;
    return action;
}

// What the second service knows: another person by that name, or the person by another name. It
// would tell whoever has silenced the first service apart from himself. So such a policy must work
// for nobody, even with both services.
Outcome second_service(const World& world, const std::string& denied,
                       std::initializer_list<const char*> others) {
    if (!world.ours() || !World::install_lookup() || !World::install_nss_module() || !can_trace())
        return Outcome::nothing_to_break;
    World::write_file("/etc/nsswitch.conf",
                      "passwd: files tapgatetest [!SUCCESS=continue] tapgateother\n"
                      "group: files tapgatetest [!SUCCESS=continue] tapgateother\n");
    World::write_file("/etc/group", read_text("/etc/group") + "remote:x:2101:\n");
    World::write_file("/etc/tapgatetest", "ok");
    World::write_policy("allow br0\ndeny br0 " + denied + "\n");
    HelperOptions options = world.as(remote_account);
    options.groups = {remote_students};
    for (const char* const other : others) {
        World::write_file("/etc/tapgateother", other);
        const HelperResult his = run_traced_family(usual_args, options, silence_first_service);
        const HelperResult anybodys = world.attach();
        if (!his.fds.empty() && !anybodys.fds.empty()) {
            std::cerr << "deny " << denied << " was none: the second service has " << other << '\n';
            return Outcome::broken;
        }
    }
    return Outcome::held;
}

Attacks names() {
    return {
        {"a deny of his name, which another person has in a second name service",
         [](const World& world) {
             return second_service(world, "user=remote", {"remote 2102", "twin 2101"});
         }},
        {"a deny of his group, and the same",
         [](const World& world) {
             return second_service(world, "group=remotestudents",
                                   {"remotestudents 3102", "twins 3101"});
         }},
    };
}

TEST(Abuse, OfNames) {
    expect_held("denies that name him", names());
}

}  // namespace
}  // namespace tapgate
