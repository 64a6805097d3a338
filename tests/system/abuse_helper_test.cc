// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against the helper's own process: its memory, arguments, limits and end.

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <stdexcept>

#include "tests/system/abuse.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

std::function<void()> limit(int resource, rlim_t value) {
    return [resource, value] {
        const rlimit both{value, value};
        setrlimit(static_cast<__rlimit_resource>(resource), &both);
    };
}

// Whether a process of alice's got at a helper that has privilege: at its memory or descriptors.
bool is_within_reach(pid_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid);
    const UniqueFd memory(open((directory + "/mem").c_str(), O_RDWR | O_CLOEXEC));
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    const UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), 1, 0)));
    return memory || taken || ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
}

// prlimit(2) only asks for the same uids. So a caller may change the limits of a helper that he has
// stopped.
Outcome limits_at_each_call(const World& world) {
    World::write_policy("allow br0 user=alice,nobody max-taps=9 isolated mac-lock\n");
    const std::vector<std::string> args = {"--br=br0", "--fd=27", "--mac=52:54:00:00:00:01",
                                           "--queues=1"};
    Outcome outcome = Outcome::held;
    for (const Moment& moment : moments_of(world, args)) {
        for (const auto resource : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_STACK}) {
            const HelperResult run = attach_with(world, args, moment, [&](const TracedCall& call) {
                const rlimit none{0, 0};
                prlimit(call.pid, resource, &none, nullptr);
                return TraceAction{};
            });
            outcome = all({outcome, clean(run)});
            if (clean(run) == Outcome::broken)
                std::cerr << "limit " << resource << " at " << moment.name << ": " << describe(run)
                          << '\n';
        }
    }
    return outcome;
}

Attacks helper_itself() {
    return {
        {"its memory, descriptors and control, while it is stopped",
         [](const World& world) {
             int seen = 0;
             for (int i = 0; i < 200; ++i) {
                 const HelperProcess helper(usual_args, world.alice());
                 usleep(static_cast<useconds_t>(i % 50 * 40));
                 helper.kill(SIGSTOP);
                 const std::string status =
                     read_text("/proc/" + std::to_string(helper.pid()) + "/status");
                 // Before its exec, it is still a process of this test.
                 if (!status.starts_with(world.ours() ? "Name:\ttapgate" : "Name:\tqemu"))
                     continue;
                 ++seen;
                 if (in_process_of(alice_account,
                                   [&] { return is_within_reach(helper.pid()) ? 1 : 0; }) != 0) {
                     return Outcome::broken;
                 }
             }
             if (seen == 0)
                 throw std::runtime_error("it was never stopped in time");
             return Outcome::held;
         }},
        {"its child, which has its memory: within reach, or killed at any call of its",
         [](const World& world) {
             World::write_policy("allow br0 user=alice max-taps=9\n");
             unsigned calls = 0;
             bool within_reach = false;
             bool entered = false;
             run_traced_family(usual_args, world.alice(), [&](const TracedCall& call) {
                 if (call.process == 1) {
                     calls = call.index;
                     const auto reach = [&] { return is_within_reach(call.pid) ? 1 : 0; };
                     // Also from the child's own user namespace, where alice may do everything once
                     // she has a handle of it: 255 is that she did not get in.
                     const UniqueFd space(
                         open(("/proc/" + std::to_string(call.pid) + "/ns/net").c_str(),
                              O_RDONLY | O_CLOEXEC));
                     const int from_inside =
                         space ? inside(alice_account, space.get(), reach) : 255;
                     entered = entered || from_inside != 255;
                     within_reach = within_reach || in_process_of(alice_account, reach) != 0 ||
                                    from_inside == 1;
                 }
                 return TraceAction{};
             });
             if (!world.ours())
                 return Outcome::nothing_to_break;
             if (calls < 5 || !entered)
                 throw std::runtime_error("the child was not seen, or not from its namespace");
             Outcome outcome = held_if(!within_reach && World::no_taps_left());
             // At its last call, exit_group(), the work has been done.
             for (unsigned at = 1; at < calls; ++at) {
                 const HelperResult run =
                     run_traced_family(usual_args, world.alice(), [&](const TracedCall& call) {
                         TraceAction action;
                         action.kill = call.process == 1 && call.index == at;
                         return action;
                     });
                 outcome = all({outcome, refused(run)});
             }
             return outcome;
         }},
        // Linux before May 2026 lets any user take the descriptors of a process of his in the
        // instant when it ends and has no memory any more.
        {"what its child has open as it ends: the namespace, before the port is made",
         [](const World& world) {
             World::write_policy("allow br0 user=alice max-taps=9\n");
             unsigned ends = 0;
             bool has_open = false;
             const HelperResult run =
                 run_traced_family(usual_args, world.alice(), [&](const TracedCall& call) {
                     if (call.process == 1 && call.number == SYS_exit) {
                         ++ends;
                         const std::filesystem::path fds =
                             "/proc/" + std::to_string(call.pid) + "/fd";
                         has_open = has_open || !std::filesystem::is_empty(fds);
                     }
                     return TraceAction{};
                 });
             if (!world.ours())
                 return Outcome::nothing_to_break;
             if (ends != 1 || !granted(run))
                 throw std::runtime_error("the child's end was not seen: " + describe(run));
             return held_if(!has_open);
         }},
        {"its child, stopped: it waits for ever",
         [](const World& world) {
             World::write_policy("allow br0 user=alice max-taps=9\n");
             pid_t child = -1;
             const HelperResult run =
                 run_traced_family(usual_args, world.alice(), [&](const TracedCall& call) {
                     TraceAction action;
                     action.hold = call.process == 1 && call.index == 2;
                     if (action.hold)
                         child = call.pid;
                     return action;
                 });
             if (!world.ours())
                 return Outcome::nothing_to_break;
             if (child < 0)
                 throw std::runtime_error("the child was not seen");
             // The kernel kills it with its parent; who reaps it is not the helper's affair.
             for (int wait = 0; wait < 100 && kill(child, 0) == 0; ++wait)
                 usleep(10000);
             return all({refused(run), held_if(run.err.find("gave up") != std::string::npos),
                         held_if(kill(child, 0) != 0)});
         }},
        {"its environment",
         [](const World& world) {
             HelperOptions options = world.alice();
             options.env = {"NLDBG=9",
                            "NLCB=debug",
                            "LD_PRELOAD=/mnt/home/evil.so",
                            "LD_LIBRARY_PATH=/mnt/home",
                            "LD_DEBUG=all",
                            "LD_SHOW_AUXV=1",
                            "GCONV_PATH=/mnt/home",
                            "MALLOC_TRACE=/mnt/home/trace",
                            "TZ=:/etc/shadow",
                            "GLIBC_TUNABLES=glibc.malloc.check=3",
                            "=",
                            ""};
             return held_if(granted(World::run_helper(usual_args, options)) &&
                            access("/mnt/home/trace", F_OK) != 0);
         }},
        {"no arguments at all, not even its name (CVE-2021-4034)",
         [](const World& world) {
             HelperOptions options = world.alice();
             options.argv = std::vector<std::string>{};
             return refused(World::run_helper({}, options));
         }},
        {"a descriptor that is none: abc, 2^32 + 27, -1",
         [](const World& world) {
             return all({refused(world.attach({"--br=br0", "--fd=abc"})),
                         refused(world.attach({"--br=br0", "--fd=4294967323"})),
                         refused(world.attach({"--br=br0", "--fd=-1"}))});
         }},
        {"huge arguments",
         [](const World& world) {
             return all({refused(world.attach({"--fd=27", "--br=" + std::string(130000, 'x')})),
                         refused(world.attach({"--br=br0", "--fd=" + std::string(130000, '9')})),
                         refused(world.attach(std::vector<std::string>(20000, "--use-vnet")))});
         }},
        {"a huge policy, and includes that fan out",
         [](const World& world) {
             World::write_policy("allow br0\n" + std::string(64U << 20U, '\n') + "deny br0\n");
             const Outcome huge = refused(world.attach());
             World::write_policy("include 1.conf\n");
             std::string many;
             for (int i = 1; i < 8; ++i) {
                 const std::string next = "include /etc/qemu/" + std::to_string(i + 1) + ".conf\n";
                 many.clear();
                 for (int k = 0; k < 100; ++k)
                     many += next;
                 World::write_file("/etc/qemu/" + std::to_string(i) + ".conf", many);
             }
             World::write_policy("include /etc/qemu/1.conf\n");
             World::write_file("/etc/qemu/8.conf", "allow br0\n");
             return all({huge, refused(world.attach())});
         }},
        {"escape sequences, by its error messages",
         [](const World& world) {
             const HelperResult run =
                 world.attach({"--fd=27", "--br=br0\x1b[2J\x1b[31m and so on and on"});
             return held_if(run.err.find('\x1b') == std::string::npos);
         }},
        {"closed stdio: words where the reply goes",
         [](const World& world) {
             Outcome outcome = Outcome::held;
             for (unsigned closed = 1; closed < 8; ++closed) {
                 const auto close_some = [closed] {
                     for (int fd = 0; fd < 3; ++fd) {
                         if ((closed >> static_cast<unsigned>(fd) & 1U) != 0)
                             close(fd);
                     }
                 };
                 outcome = all(
                     {outcome, clean(world.attach(close_some)),
                      clean(World::run_helper({"--br=none", "--fd=27"}, world.alice(close_some)))});
             }
             return outcome;
         }},
        {"a socket as stderr: words that are taken for a reply",
         [](const World& world) {
             const HelperResult run = World::run_helper(
                 {"--br=none", "--fd=2"}, world.alice([] { dup2(socket_number, 2); }));
             return held_if(run.exit_status == 1 && run.fds.empty());
         }},
        {"limits: descriptors, stack, processes, locked memory, data",
         [](const World& world) {
             Outcome outcome = Outcome::held;
             for (rlim_t files = 4; files < 16; ++files)
                 outcome = all({outcome, clean(world.attach(limit(RLIMIT_NOFILE, files)))});
             return all({outcome, clean(world.attach(limit(RLIMIT_STACK, 128U << 10U))),
                         clean(world.attach(limit(RLIMIT_NPROC, 0))),
                         clean(world.attach(limit(RLIMIT_MEMLOCK, 0)))});
         }},
        {"limits set meanwhile, at each call: memory, descriptors, stack", limits_at_each_call},
        {"a limit of file size, with its stderr in a file",
         [](const World& world) {
             World::write_file("/mnt/log", "", 0666);
             return clean(World::run_helper({"--br=none", "--fd=27"}, world.alice([] {
                 dup2(open("/mnt/log", O_WRONLY | O_CLOEXEC), 2);
                 limit(RLIMIT_FSIZE, 0)();
             })));
         }},
        {"signals blocked and ignored",
         [](const World& world) {
             return clean(world.attach([] {
                 sigset_t every;
                 sigfillset(&every);
                 sigprocmask(SIG_SETMASK, &every, nullptr);
                 for (const int signal : {SIGALRM, SIGCHLD, SIGTERM, SIGPIPE, SIGSYS})
                     std::signal(signal, SIG_IGN);
             }));
         }},
        {"its death at any moment: a tap that stays",
         [](const World& world) {
             for (int delay = 0; delay < 3000; delay += 50) {
                 HelperProcess helper(usual_args, world.alice());
                 usleep(static_cast<useconds_t>(delay));
                 helper.kill(SIGKILL);
                 helper.finish();
                 if (!World::no_taps_left())
                     return Outcome::broken;
             }
             return Outcome::held;
         }},
        {"a reply that nobody takes: it waits for ever",
         [](const World& world) {
             HelperOptions options = world.alice([] {
                 const std::string junk(4096, 'x');
                 while (send(socket_number, junk.data(), junk.size(), MSG_DONTWAIT) > 0) {
                 }
                 while (send(socket_number, junk.data(), 1, MSG_DONTWAIT) > 0) {
                 }
             });
             options.deaf = true;
             const HelperResult run = World::run_helper(usual_args, options);
             return held_if(!run.timed_out && run.exit_status == 1);
         }},
    };
}

TEST(Abuse, OfTheHelperItself) {
    expect_held("the helper itself", helper_itself());
}

}  // namespace
}  // namespace tapgate
