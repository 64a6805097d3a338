// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against a port that is being made: at each of the helper's calls he looks,
// attaches, kills and changes. With plain and with contained taps. (H1 to H6 are in CHANGELOG.md.)

#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iostream>
#include <thread>

#include "tests/system/abuse.h"
#include "tests/system/wire.h"

namespace tapgate {
namespace {

// A rule, and what it gives. In 0.1.0, a rule with nothing but selectors gave a plain tap of two
// queues.
struct Kind {
    const char* name;
    const char* rule;
    unsigned queues;

    std::vector<std::string> args() const {
        std::vector<std::string> all = usual_args;
        if (queues > 1)
            all.push_back("--queues=" + std::to_string(queues));
        return all;
    }
};
const Kind plain_kind{"plain", "allow br0 user=alice\n", 1};
const Kind plain_kind_of_two{"plain, 2 queues", "allow br0 user=alice\n", 2};
const Kind contained_kind{"contained, 2 queues", "allow br0 user=alice max-taps=9\n", 2};

// The stock helper knows neither selectors nor queues.
std::vector<std::string> prepare(const World& world, const Kind& kind) {
    World::write_policy(world.ours() ? kind.rule : "allow br0\n");
    return world.ours() ? kind.args() : usual_args;
}

std::string with(const std::string& attack, const Kind& kind) {
    return attack + " (" + kind.name + ")";
}

std::size_t ports_up_and_on_no_bridge() {
    std::size_t count = 0;
    for (const std::string& name : ports_by_name()) {
        const bool up = (World::link_flags(name) & IFF_UP) != 0;
        if (up && World::link_attribute(name, "master/ifindex").empty())
            ++count;
    }
    return count;
}

// --- H2: a queue of a tap that has no owner yet

Attack queue_for(const Account& user, const Kind& kind) {
    return {with(std::string("a queue of the half-made tap, for ") + user.name, kind),
            [=](const World& world) {
                std::vector<UniqueFd> queues;
                attach_with(world, prepare(world, kind),
                            [&](const TracedCall&) { attach_to_anything(user, &queues); });
                return held_if(queues.empty());
            }};
}

// --- H1: a tap that is up before it is on the bridge

Attack tap_on_no_bridge(const Kind& kind) {
    return {with("a tap that is up and on no bridge, by its link type", kind),
            [=](const World& world) {
                const std::vector<std::string> args = prepare(world, kind);
                std::vector<UniqueFd> queues;
                std::size_t seen = 0;
                attach_with(world, args, [&](const TracedCall&) {
                    attach_to_anything(alice_account, &queues);
                    for (const UniqueFd& queue : queues)
                        set_link_type(queue.get(), ARPHRD_NONE);
                    seen += ports_up_and_on_no_bridge();
                });
                return held_if(seen + ports_up_and_on_no_bridge() == 0);
            }};
}

// --- H3: taps that outlive their helper

Attack taps_of_killed_helpers(const Kind& kind) {
    return {with("taps that stay behind killed helpers", kind), [=](const World& world) {
                const std::vector<std::string> args = prepare(world, kind);
                World::run_helper(args, world.alice());  // what the first one does to the bridge
                World::no_taps_left();
                const std::string before = host_network();
                std::size_t stayed = 0;
                for (const Moment& moment : moments_of(world, args)) {
                    const HelperResult run =
                        attach_with(world, args, moment, [&](const TracedCall&) {
                            std::vector<UniqueFd> queues;
                            attach_to_anything(alice_account, &queues);
                            for (const UniqueFd& queue : queues)
                                set_persistent(queue.get(), true);
                            return TraceAction{.kill = true};
                        });
                    if (run.timed_out) {
                        std::cerr << moment.name << ": " << describe(run) << '\n';
                        return Outcome::broken;
                    }
                    host_network_becomes(before, std::chrono::milliseconds(300));
                    stayed = std::max(stayed, ports_by_name().size());
                }
                host_network_becomes(before, std::chrono::seconds(2));
                if (!ports_by_name().empty())
                    std::cerr << ports_by_name().size() << " taps stayed behind killed helpers\n";
                return held_if(ports_by_name().empty());
            }};
}

// --- H6: a port that works, and a log that says "refused"

void reply_to_nobody() {
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0 || dup2(pair[0], socket_number) < 0 ||
        close(pair[0]) != 0 || close(pair[1]) != 0) {
        _exit(125);
    }
}

Attack port_of_a_refusal(const Kind& kind) {
    return {with("a port of a refused request: nobody takes the reply", kind),
            [=](const World& world) {
                const std::vector<std::string> args = prepare(world, kind);
                std::vector<UniqueFd> queues;
                const HelperOptions options = world.alice(reply_to_nobody);
                const HelperResult run = run_traced_family(args, options, [&](const TracedCall&) {
                    attach_to_anything(alice_account, &queues);
                    return TraceAction{};
                });
                host_network_becomes("", std::chrono::milliseconds(100));
                return held_if(run.exit_status == 1 && ports_by_name().empty());
            }};
}

Attack port_of_a_failed_readback(const Kind& kind) {
    return {with("a port of a refused request: the MAC changes", kind), [=](const World& world) {
                const std::vector<std::string> args = prepare(world, kind);
                for (int i = 0; i < (long_run() ? 400 : 10); ++i) {
                    std::vector<UniqueFd> queues;
                    std::atomic<bool> over{false};
                    // SIOCSIFHWADDR on a queue needs no privilege.
                    const auto change = [&](unsigned char which) {
                        for (unsigned char last = 0; !over; ++last)
                            set_mac(queues[0].get(), "", {2, 0, 0, 0, which, last});
                    };
                    std::vector<std::thread> changers;
                    const HelperResult run = attach_with(world, args, [&](const TracedCall&) {
                        if (queues.empty()) {
                            attach_to_anything(alice_account, &queues);
                            for (unsigned char which = 0; which < 2 && !queues.empty(); ++which)
                                changers.emplace_back(change, which);
                        }
                    });
                    over = true;
                    for (std::thread& changer : changers)
                        changer.join();
                    if (run.exit_status != 0 && !World::ports("br0").empty()) {
                        std::cerr << "in run " << i + 1 << ": " << describe(run) << '\n';
                        return Outcome::broken;
                    }
                }
                return Outcome::held;
            }};
}

// --- since Linux 6.18: a namespace by its file handle

// The network namespaces of what the helper starts, as alice gets at them: a handle is two numbers
// that she can guess, and the namespace belongs to her uid.
class Handles {
  public:
    // To be called at the calls of the helper's family.
    void look(const TracedCall& call) {
        if (call.process == 0 || tried_ > 20)
            return;
        const UniqueFd theirs(
            open(("/proc/" + std::to_string(call.pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
        const UniqueFd own(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        struct stat of_theirs {};
        struct stat of_own {};
        if (!theirs || fstat(theirs.get(), &of_theirs) != 0 || fstat(own.get(), &of_own) != 0 ||
            of_theirs.st_ino == of_own.st_ino) {
            return;
        }
        ++tried_;
        alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> room{};
        auto* const handle = reinterpret_cast<file_handle*>(room.data());
        handle->handle_bytes = MAX_HANDLE_SZ;
        int mount = 0;
        if (name_to_handle_at(theirs.get(), "", handle, &mount, AT_EMPTY_PATH) != 0)
            return;
        const AsUser alice(alice_account);
        UniqueFd opened(open_by_handle_at(own.get(), handle, O_RDONLY | O_CLOEXEC));
        if (opened)
            opened_.push_back(std::move(opened));
    }
    bool empty() const { return opened_.empty(); }
    int last() const { return opened_.back().get(); }

  private:
    std::vector<UniqueFd> opened_;
    int tried_ = 0;
};

std::string drain_log(const UniqueFd& log) {
    std::string lines;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0;
         (size = recv(log.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
        lines.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return lines;
}

// He makes a link with the name that the inner end is to get, before the helper does.
Attack taken_inner_end() {
    return {"a refusal for a reason that is none: the inner end's name is taken (Linux 6.18)",
            [](const World& world) {
                const std::vector<std::string> args = prepare(world, contained_kind);
                const UniqueFd log = World::open_log();
                Handles handles;
                bool taken = false;
                const HelperResult run =
                    run_traced_family(args, world.alice(), [&](const TracedCall& call) {
                        handles.look(call);
                        const auto take = [] { return add_link("bridge", "inner"); };
                        if (!taken && !handles.empty())
                            taken = inside(alice_account, handles.last(), take) == 0;
                        return TraceAction{};
                    });
                if (!taken)
                    return Outcome::nothing_to_break;
                const std::string said = run.err + drain_log(log);
                return held_if(refused(run) == Outcome::held &&
                               said.find(" and inner: File exists") != std::string::npos);
            }};
}

// He deletes the pair, and has a link of his own, which is up, take the outer end's ifindex. Some
// kernels let any user make one in the host's network (SECURITY.md), which root does here in his
// place.
Attack link_of_his_own(const std::string& name) {
    return {"a link of his own for a port, called " + (name.empty() ? "as the port" : name) +
                " (Linux 6.18)",
            [=](const World& world) {
                const std::vector<std::string> args = prepare(world, contained_kind);
                World::set_link_up("br0");
                const UniqueFd log = World::open_log();
                Handles handles;
                std::string logged;
                bool swapped = false;
                bool held = true;
                const auto look_at_ports = [&](const TracedCall& call) {
                    logged += drain_log(log);
                    const bool granted = logged.find("granted") != std::string::npos;
                    for (const std::string& port : World::ports("br0")) {
                        const bool early = !granted && (World::link_flags(port) & IFF_UP) != 0;
                        if (early || !port.starts_with("tap2001-")) {
                            std::cerr << "port " << port << (early ? ", up and in no log" : "")
                                      << ", at " << call_name(call.number) << '\n';
                            held = false;
                        }
                    }
                };
                run_traced_family(args, world.alice(), [&](const TracedCall& call) {
                    handles.look(call);
                    look_at_ports(call);
                    const std::vector<std::string> ports = ports_by_name();
                    if (swapped || handles.empty() || ports.empty())
                        return TraceAction{};
                    const unsigned index = if_nametoindex(ports[0].c_str());
                    const std::string own = name.empty() ? ports[0] : name;
                    swapped = inside(alice_account, handles.last(), [] {
                                  return remove_link("inner") + add_veth("inner", "mine", -1);
                              }) == 0;
                    for (int wait = 0; wait < 200 && World::link_exists(ports[0]); ++wait)
                        std::this_thread::sleep_for(std::chrono::milliseconds(5));
                    swapped &= add_link("veth", own, index) == 0 && set_link_state(own, true) == 0;
                    set_link_state("veth0", true);
                    return TraceAction{};
                });
                look_at_ports({});
                return swapped ? held_if(held) : Outcome::nothing_to_break;
            }};
}

Attack refused_and_kept() {
    return {
        "a port of a refused request: its namespace is kept (Linux 6.18)", [](const World& world) {
            const std::vector<std::string> args = prepare(world, contained_kind);
            Handles handles;
            const HelperResult run =
                run_traced_family(args, world.alice(reply_to_nobody), [&](const TracedCall& call) {
                    handles.look(call);
                    return TraceAction{};
                });
            for (int wait = 0; wait < 50 && !ports_by_name().empty(); ++wait)
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            return handles.empty() ? Outcome::nothing_to_break
                                   : held_if(run.exit_status == 1 && ports_by_name().empty());
        }};
}

Attack killed_and_kept() {
    return {"a port that is in no log: its namespace is kept (Linux 6.18)", [](const World& world) {
                const std::vector<std::string> args = prepare(world, contained_kind);
                const UniqueFd log = World::open_log();
                bool reached = false;
                for (const Moment& moment : moments_of(world, args, 2)) {
                    drain_log(log);
                    Handles handles;
                    run_traced_family(args, world.alice(), [&](const TracedCall& call) {
                        handles.look(call);
                        return TraceAction{.kill = call.process == moment.process &&
                                                   call.index == moment.index};
                    });
                    reached |= !handles.empty();
                    const bool logged = drain_log(log).find("granted") != std::string::npos;
                    for (const std::string& port : ports_by_name()) {
                        if ((World::link_flags(port) & IFF_UP) != 0 && !logged) {
                            std::this_thread::sleep_for(std::chrono::milliseconds(200));
                            if (World::link_exists(port)) {
                                std::cerr << port << " is up and not in the log, killed at "
                                          << moment.name << '\n';
                                return Outcome::broken;
                            }
                        }
                    }
                }
                return reached ? Outcome::held : Outcome::nothing_to_break;
            }};
}

// Sends from `mac` by the inner end, for as long as it is there, or for some tenths of a second.
int send_from_inner_end(const std::string& mac) {
    const std::string frame = make_frame(broadcast_mac, mac);
    const auto begin = std::chrono::steady_clock::now();
    const auto is_over = [&] {
        return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(400);
    };
    while (!is_over() && if_nametoindex("inner") == 0)
        continue;
    set_link_state("inner", true);
    const UniqueFd sender(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex("inner"));
    if (bind(sender.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return 1;
    while (!is_over())
        static_cast<void>(write(sender.get(), frame.data(), frame.size()));
    return 0;
}

// A request for a locked port, all of whose links something brings up at once, and whose user sends
// from `mac` meanwhile. Whether he got there; `learnt`: whether the bridge has that behind his
// port.
bool send_before_the_lock(const World& world, const std::string& mac, bool& learnt) {
    std::vector<std::string> args = usual_args;
    args.emplace_back("--mac=52:54:00:00:00:0a");
    Handles handles;
    std::thread sender;
    const HelperResult run = run_traced_family(args, world.alice(), [&](const TracedCall& call) {
        handles.look(call);
        if (!handles.empty() && !sender.joinable()) {
            sender = std::thread([&, network = handles.last()] {
                inside(alice_account, network, [&] { return send_from_inner_end(mac); });
            });
        }
        for (const std::string& port : ports_by_name()) {
            set_link_state(port, true);
            World::link_attribute(port, "carrier");  // for which the kernel looks anew
        }
        return TraceAction{};
    });
    for (const FdbEntry& entry : forwarding_database("br0"))
        learnt |= entry.mac == mac;
    if (sender.joinable())
        sender.join();
    return !handles.empty() && run.exit_status == 0;
}

// An address that a port has learnt before it is locked would pass the lock, and have its frames.
Attack learnt_before_the_lock() {
    return {"a neighbour's MAC, where a daemon brings all links up (Linux 6.18)",
            [](const World& world) {
                World::write_policy("allow br0 mac-lock=52:54:00\n");
                World::set_link_up("br0");
                bool reached = false;
                bool learnt = false;
                for (int i = 0; i < (long_run() ? 200 : 20) && world.ours() && !learnt; ++i) {
                    reached |= send_before_the_lock(world, "52:54:00:00:00:77", learnt);
                    World::no_taps_left();
                }
                return reached ? held_if(!learnt) : Outcome::nothing_to_break;
            }};
}

// --- root changes the bridge meanwhile

Attack bridge_changes(const std::string& what, const std::function<void()>& change,
                      const Kind& kind) {
    return {
        with("the bridge, " + what + " at any moment", kind), [=](const World& world) {
            const std::vector<std::string> args = prepare(world, kind);
            for (const Moment& moment : moments_of(world, args, 6)) {
                World::remove_link("br0");
                World::add_bridge("br0");
                World::remove_link("br1");
                World::add_bridge("br1");
                HelperResult run = attach_with(world, args, moment, [&](const TracedCall&) {
                    change();
                    return TraceAction{};
                });
                const bool granted = run.exit_status == 0 && !run.fds.empty();
                const bool refused = run.exit_status == 1 && run.fds.empty();
                const std::size_t ports = ports_by_name().size();
                run.fds.clear();
                for (int wait = 0; wait < 200 && !ports_by_name().empty(); ++wait)
                    std::this_thread::sleep_for(std::chrono::milliseconds(10));
                if ((!granted && !refused) || (granted && ports > 1) || !ports_by_name().empty()) {
                    std::cerr << what << " at " << moment.name << ": " << describe(run) << '\n';
                    return Outcome::broken;
                }
                for (const char* bridge : {"br0", "br1", "br9"}) {
                    if (World::link_exists(bridge))
                        World::remove_link(bridge);
                }
                World::add_bridge("br0");
                World::add_bridge("br1");
            }
            return Outcome::held;
        }};
}

void rename_bridges() {
    rename_link("br0", "br9");
    rename_link("br1", "br0");
}

void make_bridge_anew() {
    remove_link("br0");
    World::add_bridge("br0");
}

// The helper fixes the bridge's address to what it is, and asks for that by the bridge's name.
Attack address_of_another_bridge(const Kind& kind) {
    return {with("a bridge's MAC on another one, renamed meanwhile", kind),
            [=](const World& world) {
                const std::vector<std::string> args = prepare(world, kind);
                Outcome outcome = Outcome::nothing_to_break;
                for (unsigned later = 0; later < 6; ++later) {
                    unsigned calls = 0;  // from the first one of it
                    const HelperResult run =
                        run_traced(args, world.alice(), [&](const TracedCall& call) {
                            const bool begins =
                                call.number == SYS_openat &&
                                traced_string(call.pid, call.args[1]).ends_with("addr_assign_type");
                            if ((begins || calls > 0) && calls++ == later)
                                rename_bridges();
                            return TraceAction{};
                        });
                    if (calls > later)
                        outcome = held_if(World::link_attribute("br9", "address") !=
                                          World::link_attribute("br0", "address"));
                    if (outcome == Outcome::broken) {
                        std::cerr << later << " calls later: " << describe(run) << '\n';
                        return outcome;
                    }
                    remove_link("br9");
                    remove_link("br0");
                    World::add_bridge("br0");
                    World::add_bridge("br1");
                }
                return outcome;
            }};
}

// --- the table

Attacks half_made() {
    Attacks attacks;
    for (const Kind& kind : {plain_kind, plain_kind_of_two, contained_kind}) {
        attacks.push_back(queue_for(bob_account, kind));
        attacks.push_back(queue_for(alice_account, kind));
        attacks.push_back(tap_on_no_bridge(kind));
        attacks.push_back(port_of_a_refusal(kind));
        attacks.push_back(port_of_a_failed_readback(kind));
    }
    attacks.push_back(refused_and_kept());
    attacks.push_back(taken_inner_end());
    attacks.push_back(link_of_his_own("other"));
    attacks.push_back(link_of_his_own(""));
    attacks.push_back(learnt_before_the_lock());
    return attacks;
}

Attacks killed_and_changed() {
    Attacks attacks;
    for (const Kind& kind : {plain_kind, contained_kind}) {
        attacks.push_back(taps_of_killed_helpers(kind));
        attacks.push_back(bridge_changes("renamed", rename_bridges, kind));
        attacks.push_back(bridge_changes(
            "deleted", [] { remove_link("br0"); }, kind));
        attacks.push_back(bridge_changes("made anew", make_bridge_anew, kind));
        attacks.push_back(address_of_another_bridge(kind));
    }
    attacks.push_back(killed_and_kept());
    return attacks;
}

TEST(Abuse, OfHalfMadeTaps) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    expect_held("what is not finished yet", half_made());
}

TEST(Abuse, OfRequestsAtEveryMoment) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    expect_held("a request that is killed, or whose bridge changes", killed_and_changed());
}

}  // namespace
}  // namespace tapgate
