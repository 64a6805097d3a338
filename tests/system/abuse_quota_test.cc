// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against "at most as many taps as the policy says".

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <stdexcept>

#include "tests/system/abuse.h"

namespace tapgate {
namespace {

Outcome nobody_gets_a_third(const World& world, bool kill) {
    Crowd crowd;
    crowd.add(40, usual_args, world.alice());
    std::size_t most = 0;
    crowd.disturb(kill, [&] { most = std::max(most, ports_by_name().size()); });
    const std::vector<HelperResult> runs = crowd.finish();
    return held_if(std::max(most, ports_by_name().size()) <= 2);
}

// --- a namespace without a process

// A connection in FIN_WAIT2 whose other end stays silent: the kernel keeps it, and with it the
// namespace, for as long as its owner has said.
int leave_connection() {
    constexpr std::string_view seconds = "100000";
    const UniqueFd limit(open("/proc/sys/net/ipv4/tcp_fin_timeout", O_WRONLY | O_CLOEXEC));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(5000);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* const there = reinterpret_cast<const sockaddr*>(&address);
    const UniqueFd server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (write(limit.get(), seconds.data(), seconds.size()) < 0 || set_link_state("lo", true) != 0 ||
        bind(server.get(), there, sizeof address) != 0 || listen(server.get(), 1) != 0 ||
        connect(client.get(), there, sizeof address) != 0) {
        return 1;
    }
    client.reset();
    usleep(50000);  // the server's side has acknowledged that
    return set_link_state("lo", false);
}

Outcome connection_that_stays(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_policy("allow br0 max-taps=1\n");
    HelperResult run = world.attach();
    UniqueFd space = [&] {
        const AsUser alice(alice_account);
        return namespace_of_tap(run.fds.at(0).get());
    }();
    if (!space)
        return Outcome::nothing_to_break;
    if (inside(alice_account, space.get(), leave_connection) != 0)
        throw std::runtime_error("it has no connection");
    space.reset();
    run.fds.clear();
    usleep(200000);
    const std::vector<std::string> stays = ports_by_name();
    const bool counts = stays.size() == 1 && world.attach().fds.empty();
    // And root can end it.
    for (const std::string& port : stays)
        World::remove_link(port);
    return held_if(counts && ports_by_name().empty() && world.attach().fds.size() == 1);
}

// --- a second request at each moment of the first

Outcome one_and_another(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_policy("allow br0 max-taps=1\n");
    const std::vector<Moment> moments = moments_of(world, usual_args, 6);
    const std::string before = host_network();
    for (const Moment& moment : moments) {
        std::size_t most = 0;
        HelperResult second;
        HelperResult first = attach_with(world, usual_args, moment, [&](const TracedCall&) {
            second = world.attach();
            most = ports_by_name().size();
            return TraceAction{};
        });
        most = std::max(most, ports_by_name().size());
        if (most > 1 || first.fds.size() + second.fds.size() > 1) {
            std::cerr << most << " taps, " << first.fds.size() + second.fds.size()
                      << " descriptors at " << moment.name << '\n';
            return Outcome::broken;
        }
        first.fds.clear();
        second.fds.clear();
        if (!is_as_before(before, moment.name))
            return Outcome::broken;
    }
    return Outcome::held;
}

// Tap after tap is half made and stays so: how many there can be at once.
Outcome stopped_helpers(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_policy("allow br0 max-taps=1\n");
    std::size_t most = 0;
    // Each stands still as soon as it has a tap, while the next one is started.
    const std::function<void(int)> start = [&](int more) {
        bool done = false;
        run_traced_family(usual_args, world.alice(), [&](const TracedCall&) {
            const std::size_t there = ports_by_name().size();
            most = std::max(most, there);
            if (!done && more > 0 && there > static_cast<std::size_t>(5 - more)) {
                done = true;
                start(more - 1);
            }
            return TraceAction{};
        });
    };
    start(5);
    if (most > 1)
        std::cerr << most << " taps at once under max-taps=1\n";
    return held_if(most <= 1);
}

// Each helper starts before the port of the one before has gone.
Outcome restarts_at_once(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_policy("allow br0 max-taps=1\n");
    int refusals = 0;
    for (int i = 0; i < 20; ++i) {
        HelperResult run = world.attach();
        refusals += run.fds.empty() ? 1 : 0;
    }
    if (refusals > 0)
        std::cerr << refusals << " of 20 restarts were refused\n";
    return held_if(refusals == 0);
}

// --- subordinate uids

constexpr uid_t first_subordinate = 165536;

// alice's files that run as her subordinate uids, made as `newuidmap` lets her: one for each of
// `count`, at /mnt/home/UID. They start what they are told to as that uid.
void make_setuid_files(unsigned count) {
    World::write_file("/etc/subuid", "alice:165536:65536\n");
    World::write_file("/etc/subgid", "alice:165536:65536\n");
    const std::string program = read_text("/usr/bin/setpriv");
    std::array<int, 2> ready{};
    std::array<int, 2> mapped{};
    if (program.empty() || pipe2(ready.data(), O_CLOEXEC) != 0 ||
        pipe2(mapped.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("there is no setpriv");
    }
    const pid_t child = fork();
    if (child == 0) {
        _exit(in_process_of(alice_account, [&] {
            const pid_t self = getpid();
            char byte = 0;
            if (unshare(CLONE_NEWUSER) != 0 || write(ready[1], &self, sizeof self) != sizeof self ||
                read(mapped[0], &byte, 1) != 1) {
                return 1;
            }
            for (unsigned i = 0; i < count; ++i) {
                const std::string path = "/mnt/home/" + std::to_string(first_subordinate + i);
                const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
                if (write(file.get(), program.data(), program.size()) !=
                        static_cast<ssize_t>(program.size()) ||
                    fchown(file.get(), 1 + i, 0) != 0 || fchmod(file.get(), 04755) != 0) {
                    return 2;
                }
            }
            return 0;
        }));
    }
    pid_t mapping = 0;
    int status = -1;
    if (read(ready[0], &mapping, sizeof mapping) == sizeof mapping) {
        const std::string process = "/proc/" + std::to_string(mapping);
        World::write_file(process + "/uid_map", "0 2001 1\n1 165536 65536\n");
        World::write_file(process + "/gid_map", "0 2001 1\n1 165536 65536\n");
        status = write(mapped[1], "", 1) == 1 ? 0 : -1;
    }
    ready[1] = close(ready[1]);
    if (waitpid(child, &status, 0) != child || status != 0)
        throw std::runtime_error("the setuid files: " + std::to_string(status));
}

// `subuid` is the text of /etc/subuid at that time.
std::vector<HelperResult> runs_of_subordinates(const World& world, unsigned count,
                                               const std::string& subuid) {
    make_setuid_files(count);
    World::write_file("/etc/subuid", subuid);
    std::vector<HelperResult> runs;
    for (unsigned i = 0; i < count; ++i) {
        const std::string uid = std::to_string(first_subordinate + i);
        HelperOptions options = world.alice();
        options.groups = {students_gid};
        options.program = "/mnt/home/" + uid;
        options.argv = std::vector<std::string>{"setpriv", "--reuid=" + uid, World::helper_path()};
        options.argv->insert(options.argv->end(), usual_args.begin(), usual_args.end());
        runs.push_back(World::run_helper({}, options));
        if (runs.back().exit_status > 1)
            throw std::runtime_error("it could not begin: " + describe(runs.back()));
    }
    return runs;
}

constexpr const char* usual_subuid = "alice:165536:65536\n";

// What newuidmap(1) takes for that line of alice's, and another user's of the same uids.
Outcome nobody_reads_subuid_otherwise(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_policy("allow br0 max-taps=1\n");
    for (const std::string subuid :
         {"alice:0x286a0:65536\n", "alice:0503240:65536\n", "alice: 165536:65536\n",
          "alice:+165536:65536\n", "alice:165536:0x10000\n", "alice:165536:5000000000\n",
          "bob:165536:65536\nalice:165536:65536\n"}) {
        const HelperResult own = world.attach();
        const std::vector<HelperResult> runs = runs_of_subordinates(world, 1, subuid);
        if (own.fds.size() + runs[0].fds.size() > 1 || !runs[0].fds.empty()) {
            std::cerr << own.fds.size() << " taps and " << runs[0].fds.size()
                      << " more: " << subuid;
            return Outcome::broken;
        }
        World::write_file("/etc/subuid", usual_subuid);
    }
    return Outcome::held;
}

// Subordinate uids of alice's subordinate uid are alice's.
Outcome subordinates_of_a_subordinate(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    World::write_file("/etc/subuid", "alice:165536:65536\n165540:300000:65536\n");
    World::write_policy("allow br0 max-taps=1\n");
    const HelperResult own = world.attach();
    const HelperResult others = World::run_helper(usual_args, world.as({"", 300000, 300000}));
    return held_if(own.fds.size() == 1 && others.fds.empty());
}

Attacks subordinate_uids() {
    return {
        {"many taps under max-taps=1, by setuid files of subordinate uids",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 group=students max-taps=1\n");
             const unsigned count = long_run() ? 12 : 4;
             const std::vector<HelperResult> runs =
                 runs_of_subordinates(world, count, usual_subuid);
             std::size_t taps = 0;
             for (const HelperResult& run : runs)
                 taps += run.fds.size();
             if (taps > 1)
                 std::cerr << taps << " taps by " << count << " subordinate uids\n";
             return held_if(taps <= 1 && ports_by_name().size() <= 1);
         }},
        {"a deny for him, by a subordinate uid",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 group=students\ndeny all user=alice\n");
             return refused(runs_of_subordinates(world, 1, usual_subuid).at(0));
         }},
        {"his own tap and his subordinate's, under max-taps=1",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 max-taps=1\n");
             const HelperResult own = world.attach();
             const std::vector<HelperResult> runs = runs_of_subordinates(world, 1, usual_subuid);
             return held_if(own.fds.size() == 1 && runs[0].fds.empty());
         }},
        {"the same, where /etc/subuid says it in words that only newuidmap knows",
         nobody_reads_subuid_otherwise},
        {"the same, by a subordinate uid of his subordinate's", subordinates_of_a_subordinate},
    };
}

// alice's stale tap goes while --reap looks at it: whether anything like a port is there at one of
// its later calls.
Outcome reaped_when_gone(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    HelperResult run = world.attach();
    const std::string name = World::tap_name(run.fds.at(0).get());
    {
        const AsUser alice(alice_account);
        set_persistent(run.fds.at(0).get(), true);
    }
    run.fds.clear();
    bool gone = false;
    std::size_t links = 0;
    run_traced({"--reap"}, world.alice(), [&](const TracedCall& call) {
        if (gone)
            links += ports_by_name().size();
        if (!gone && makes_tap(call)) {
            gone = true;
            remove_link(name);
        }
        return TraceAction{};
    });
    return held_if(gone && links == 0);
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
        {"another helper at each moment of the first, under max-taps=1", one_and_another},
        {"helpers that stand still with their taps, under max-taps=1", stopped_helpers},
        {"a restart at once, 20 times, under max-taps=1", restarts_at_once},
        {"taps that stay without any process, one after the other",
         [](const World& world) {
             for (int i = 0; i < 5; ++i) {
                 const HelperResult run = world.attach();
                 const AsUser alice(alice_account);
                 set_persistent(run.fds.at(0).get(), true);
             }
             return held_if(World::taps().size() <= 1);
         }},
        {"a port that stays by a connection in its namespace, and another", connection_that_stays},
        {"the kernel's small interface numbers, by taps that come and go",
         [](const World& world) {
             // A bridge's is in its ports' names, and a large one makes them too long.
             const auto next_number = [] {
                 World::add_bridge("br9");
                 const int number = std::stoi(World::link_attribute("br9", "ifindex"));
                 World::remove_link("br9");
                 return number;
             };
             const int before = next_number();
             for (const char* rule : {"allow br0\n", "allow br0 max-taps=1 plain\n",
                                      "allow br0 max-taps=1\n", "allow br0 contain\n"}) {
                 World::write_policy(rule);
                 const bool is_granted = world.attach().fds.size() == 1;
                 if (!is_granted || !World::no_taps_left())
                     return Outcome::broken;
             }
             return held_if(next_number() == before + 1);
         }},
        {"hiding a tap: owner, group, alias, names, carrier, bridge",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 max-taps=1\n");
             const HelperResult run = world.attach();
             const int tap = run.fds.at(0).get();
             {
                 const std::string name = World::tap_name(tap);
                 const std::string slot =
                     "tapgate-" + World::link_attribute("br0", "ifindex") + "-2001-0";
                 const AsUser alice(alice_account);
                 set_owner(tap, bob_account.uid);
                 set_group(tap, bob_account.gid);
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
             if (!world.ours())
                 return Outcome::nothing_to_break;
             return all({refused(world.attach({"--br=br0", "--fd=27", "--vm=x\ntapgate uid=2002"})),
                         refused(world.attach({"--br=br0", "--fd=27", "--vm=x uid=2002"}))});
         }},
        {"a tap of his own making",
         [](const World&) {
             const AsUser alice(alice_account);
             return held_if(!attach_tap("tap%d", vnet_tap_flags) &&
                            !attach_tap("br0", vnet_tap_flags));
         }},
        {"a stale tap that has just gone, made anew on no bridge by who removes it",
         reaped_when_gone},
        {"reaping another user's tap that looks dead",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             const HelperResult bobs = World::run_helper(usual_args, world.as(bob_account));
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
    expect_held("the same, by subordinate uids", subordinate_uids());
}

}  // namespace
}  // namespace tapgate
