// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against a `deny` that names him, by what he can do to the process that looks names
// up.

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <stdexcept>

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

// The first child of a process; 0 when it has none.
pid_t child_of(pid_t parent) {
    const std::string id = std::to_string(parent);
    const std::string children = read_text("/proc/" + id + "/task/" + id + "/children");
    return children.empty() ? 0 : std::stoi(children);
}

// Until `done`, for some seconds.
void await(const std::string& what, const std::function<bool()>& done) {
    for (int i = 0; !done(); ++i) {
        if (i == 800)
            throw std::runtime_error("no " + what);
        usleep(10000);
    }
}

// Linux before May 2026 lets any user take the descriptors of a process of his in the instant when
// it ends and has no memory any more; so what it wrote by them may be another's. Here root takes
// the one by which the answer goes, while the helper, which its caller may stop, has not read it.
Outcome answer_of_another(const World& world, const std::string& policy, const Account& caller,
                          std::string_view answer) {
    if (!world.ours() || !World::install_lookup() || !World::install_nss_module())
        return Outcome::nothing_to_break;
    World::write_file("/etc/nsswitch.conf", "passwd: tapgatetest\ngroup: files\n");
    World::write_file("/etc/tapgatetest", "wait");
    World::write_policy(policy);
    HelperProcess helper(usual_args, world.as(caller));
    pid_t lookup = 0;
    const auto status = [&] { return read_text("/proc/" + std::to_string(lookup) + "/status"); };
    await("lookup", [&] {
        lookup = child_of(helper.pid());
        return lookup != 0 && status().starts_with("Name:\ttapgate-lookup");
    });
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, lookup, 0)));
    UniqueFd output(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), 1, 0)));
    kill(helper.pid(), SIGSTOP);  // and not its child
    World::write_file("/etc/tapgatetest", "ok");
    await("end of the lookup", [&] { return status().find("State:\tZ") != std::string::npos; });
    const std::string path = "/proc/self/fd/" + std::to_string(output.get());
    UniqueFd taking(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    std::array<char, 100> own{};
    while (taking && read(taking.get(), own.data(), own.size()) > 0) {
    }
    if (write(output.get(), answer.data(), answer.size()) < 0)
        throw std::runtime_error("the answer's descriptor was not taken");
    taking.reset();
    output.reset();
    kill(helper.pid(), SIGCONT);
    return refused(helper.finish());
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
        {"a deny of his name, by taking back that it is his",
         [](const World& world) {
             return answer_of_another(world, "allow br0\ndeny br0 user=remote\n", remote_account,
                                      "none\n");
         }},
        {"another's name, by saying in its place that it is his",
         [](const World& world) {
             return answer_of_another(world, "allow br0 user=remote\n", alice_account, "id 2001\n");
         }},
    };
}

TEST(Abuse, OfNames) {
    expect_held("denies that name him", names());
}

}  // namespace
}  // namespace tapgate
