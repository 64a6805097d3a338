// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against each part of README's promise: one attack a row, each in a test bed of its
// own. Every attack must be held. With TAPGATE_ABUSE_STOCK=1 the same attacks run against QEMU's
// own helper, for comparison, and nothing is expected of it.
//
//   TAPGATE_HELPER=... TAPGATE_ABUSE_STOCK=1 system_tests --gtest_filter='Abuse.*'
//
// This is the list. Most of it has a test elsewhere that goes into its detail.

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "tests/system/hostile.h"
#include "tests/system/testbed.h"

namespace tapgate {
namespace {

enum class Outcome {
    held,
    broken,
    nothing_to_break,  // this helper does not have what the attack is about
};

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

Outcome held_if(bool held) {
    return held ? Outcome::held : Outcome::broken;
}

const std::vector<std::string> kArgs = {"--use-vnet", "--br=br0", "--fd=27"};
constexpr unsigned kFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

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
    bool begin() {
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
    bool ours() const { return ours_; }

    HelperOptions as(const Account& user) const {
        HelperOptions options;
        options.uid = user.uid;
        options.gid = user.gid;
        options.program = ours_ ? "" : stock_path();
        options.timeout = std::chrono::seconds(13);
        return options;
    }
    HelperOptions alice(std::function<void()> before_exec = {}) const {
        HelperOptions options = as(kAlice);
        options.before_exec = std::move(before_exec);
        return options;
    }
    HelperResult attach(const std::vector<std::string>& args = kArgs) const {
        return run_helper(args, alice());
    }
    HelperResult attach(std::function<void()> before_exec) const {
        return run_helper(kArgs, alice(std::move(before_exec)));
    }
    static void write_file_of_alices(const std::string& name, std::string_view text) {
        write_file(path(name), text, 0644, kAlice.uid, kAlice.gid);
    }

  private:
    void TestBody() override {}
    bool ours_;
};

// No tap, and the helper ended by itself.
Outcome refused(const HelperResult& run) {
    if (run.exit_status >= 124) {  // the attack's own, before the helper
        throw std::runtime_error("it could not begin: " + describe(run));
    }
    return held_if(run.fds.empty() && !run.timed_out && run.signal == 0 && run.exit_status != 0 &&
                   Testbed::no_taps_left());
}

// Done as always or refused; no crash, no hang, no success without a tap, no words in the reply.
Outcome clean(const HelperResult& run) {
    const bool granted_properly =
        run.exit_status == 0 && run.fds.size() == 1 && run.data == std::string(1, '\0');
    const bool refused_properly = run.exit_status > 0 && run.fds.empty() && run.data.empty();
    return held_if(!run.timed_out && run.signal == 0 && (granted_properly || refused_properly));
}

Outcome all(std::initializer_list<Outcome> outcomes) {
    return held_if(std::find(outcomes.begin(), outcomes.end(), Outcome::broken) == outcomes.end());
}

std::function<void()> limit(int resource, rlim_t value) {
    return [resource, value] {
        const rlimit both{value, value};
        setrlimit(static_cast<__rlimit_resource>(resource), &both);
    };
}

struct Attack {
    const char* name;
    std::function<Outcome(const World&)> act;
    bool outside_the_promise = false;  // README says so; shown, and nothing is expected
};

using Attacks = std::vector<Attack>;

// ---- "on bridges that the policy allows this user" ----

Attacks other_bridges() {
    return {
        {"a name of 16 bytes for a denied bridge of 15 (CVE-2019-13164)",
         [](const World& world) {
             World::add_bridge("br-0123456789ab");
             World::write_policy("allow all\ndeny br-0123456789ab\n");
             return refused(world.attach({"--br=br-0123456789abc", "--fd=27"}));
         }},
        {"an alternative name of a denied bridge",
         [](const World& world) {
             add_altname("br0", "lab0");
             World::write_policy("allow all\ndeny br0\n");
             return refused(world.attach({"--br=lab0", "--fd=27"}));
         }},
        {"--br=all, --br=BR0, --br=br0 with a blank",
         [](const World& world) {
             return all({refused(world.attach({"--br=all", "--fd=27"})),
                         refused(world.attach({"--br=BR0", "--fd=27"})),
                         refused(world.attach({"--br=br1 ", "--fd=27"}))});
         }},
        {"another bridge, with a tap that he has",
         [](const World& world) {
             const HelperResult run = world.attach();
             const AsUser alice(kAlice);
             return held_if(set_master(World::tap_name(run.fds.at(0).get()), "br1") == EPERM &&
                            set_master(World::tap_name(run.fds.at(0).get()), "") == EPERM);
         }},
        {"another user's tap, which he made persistent and left",
         [](const World& world) {
             HelperResult bobs = World::run_helper(kArgs, world.as(kBob));
             const std::string name = World::tap_name(bobs.fds.at(0).get());
             set_persistent(bobs.fds[0].get(), true);
             bobs.fds.clear();
             const AsUser alice(kAlice);
             return held_if(!attach_tap(name, kFlags));
         }},
        {"a queue of another user's tap that is in use",
         [](const World& world) {
             if (!world.ours()) {
                 return Outcome::nothing_to_break;
             }
             World::write_policy("allow br0 contain\n");
             const HelperResult bobs =
                 World::run_helper({"--br=br0", "--fd=27", "--queues=2"}, world.as(kBob));
             const AsUser alice(kAlice);
             return held_if(!attach_tap(World::tap_name(bobs.fds.at(0).get()),
                                        IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE));
         }},
        {"a user namespace, as himself and as its root",
         [](const World& world) {
             const auto in_namespace = [&](const char* map) {
                 return refused(world.attach([map] {
                     prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
                     const int fd = unshare(CLONE_NEWUSER) == 0
                                        ? open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC)
                                        : -1;
                     if (write(fd, map, std::strlen(map)) < 0) {
                         _exit(125);
                     }
                 }));
             };
             return all({in_namespace("2001 2001 1"), in_namespace("0 2001 1")});
         }},
        {"no-new-privs",
         [](const World& world) {
             return refused(world.attach([] { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }));
         }},
    };
}

// ---- the policy's own files ----

Attacks policy_files() {
    return {
        {"a policy that anybody can write",
         [](const World& world) {
             World::write_policy("allow br0\n", 0666);
             return refused(world.attach());
         }},
        {"a policy that is a symbolic link to the user's file",
         [](const World& world) {
             World::write_file_of_alices("home/mine", "allow br0\n");
             unlink(kPolicyFile);
             return symlink("/mnt/home/mine", kPolicyFile) == 0 ? refused(world.attach())
                                                                : Outcome::broken;
         }},
        {"a FIFO in the policy's place",
         [](const World& world) {
             unlink(kPolicyFile);
             mkfifo(kPolicyFile, 0644);
             return refused(world.attach());
         }},
        {"an include in the user's directory: a file of his own",
         [](const World& world) {
             World::write_policy("include /mnt/home/mine\n");
             World::write_file_of_alices("home/mine", "allow br0\n");
             return refused(world.attach());
         }},
        {"an include in the user's directory: a link to root's secret",
         [](const World& world) {
             World::write_file("/etc/qemu/secret.conf", "topsecret words\n", 0600);
             World::write_policy("include /mnt/home/mine\n");
             if (symlink("/etc/qemu/secret.conf", "/mnt/home/mine") != 0) {
                 return Outcome::broken;
             }
             const HelperResult run = world.attach();
             return held_if(refused(run) == Outcome::held &&
                            run.err.find("topsecret") == std::string::npos);
         }},
        {"an include in the user's directory: he removes root's deny",
         [](const World& world) {
             World::write_policy("allow br0\ninclude /mnt/home/roots\n");
             World::write_file("/mnt/home/roots", "deny br0\n");
             in_process_of(kAlice, [] { return unlink("/mnt/home/roots"); });
             return refused(world.attach());
         },
         true},
        {"a relative include, from his own directory",
         [](const World& world) {
             World::write_policy("include mine\n");
             World::write_file_of_alices("home/mine", "allow br0\n");
             return refused(world.attach([] {
                 if (chdir("/mnt/home") != 0) {
                     _exit(125);
                 }
             }));
         }},
        {"an include of itself",
         [](const World& world) {
             World::write_policy("allow br0\ninclude /etc/qemu/bridge.conf\n");
             return clean(world.attach());
         }},
        {"a mistake in an include, before a deny",
         [](const World& world) {
             World::write_file("/etc/qemu/more.conf", "oops\ndeny br0\n");
             World::write_policy("allow br0\ninclude /etc/qemu/more.conf\n");
             return refused(world.attach());
         }},
        {"the end of a comment of 4 KiB, taken for a rule",
         [](const World& world) {
             World::write_policy("#" + std::string(4094, 'x') + "allow br0\n");
             return refused(world.attach());
         }},
        {"a rule with a NUL byte in it",
         [](const World& world) {
             World::write_policy(std::string("allow br0\nden\0y br0\n", 19));
             return refused(world.attach());
         }},
        {"text of a file that he cannot read, from an error",
         [](const World& world) {
             World::write_file("/etc/qemu/secret.conf", "topsecret words\n", 0600);
             World::write_policy("allow br0\ninclude /etc/qemu/secret.conf\n");
             std::string text = world.attach().err;
             if (world.ours()) {
                 for (const auto& args : std::vector<std::vector<std::string>>{
                          {"check"}, {"check", "/etc/qemu/secret.conf"}, {"explain", "--br=br0"}}) {
                     const HelperResult run = World::ask_policy(args);
                     text += run.out + run.err;
                 }
             }
             return held_if(text.find("topsecret") == std::string::npos);
         }},
    };
}

// ---- "at most as many taps as the policy says" ----

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

// ---- "each with the port options that the policy says", and nothing else on the host's network
// ----

// The bridge's own view of an address: whether it takes frames for it to be the host's.
bool is_address_of_host(const std::string& bridge, const std::string& mac) {
    constexpr std::size_t entry = 16;  // struct __fdb_entry, linux/if_bridge.h
    const std::string table = read_text("/sys/class/net/" + bridge + "/brforward");
    for (std::size_t at = 0; at + entry <= table.size(); at += entry) {
        if (table.compare(at, mac.size(), mac) == 0) {
            return table[at + 7] != 0;
        }
    }
    return false;
}

Attacks port_and_network() {
    return {
        {"taking the isolation off his port",
         [](const World& world) {
             if (!world.ours()) {
                 return Outcome::nothing_to_break;
             }
             World::write_policy("allow br0 isolated\n");
             const HelperResult run = world.attach();
             const std::string name = World::tap_name(run.fds.at(0).get());
             {
                 const AsUser alice(kAlice);
                 write_attribute(name, "brport/isolated", "0");
                 set_port_isolated(name, false);
             }
             return held_if(World::link_attribute(name, "brport/isolated") == "1");
         }},
        {"a MAC that mac-lock=52:54:00 does not give him",
         [](const World& world) {
             if (!world.ours()) {
                 return Outcome::nothing_to_break;
             }
             World::write_policy("allow br0 mac-lock=52:54:00\n");
             return all(
                 {refused(world.attach()),
                  refused(world.attach({"--br=br0", "--fd=27", "--mac=02:00:00:00:00:01"}))});
         }},
        {"the bridge's own MAC, by the lowest MAC of all",
         [](const World& world) {
             World::add_veth("up0", "up1");
             set_master("up0", "br0");
             const std::string before = World::link_attribute("br0", "address");
             const HelperResult run = world.attach();
             const AsUser alice(kAlice);
             set_mac(run.fds.at(0).get(), World::tap_name(run.fds[0].get()), {0, 0, 0, 0, 0, 1});
             return held_if(World::link_attribute("br0", "address") == before);
         }},
        {"the bridge's own MAC, by a persistent tap after the helper is gone",
         [](const World& world) {
             World::add_veth("up0", "up1");
             set_master("up0", "br0");
             const std::string before = World::link_attribute("br0", "address");
             HelperResult run = world.attach();
             const std::string name = World::tap_name(run.fds.at(0).get());
             const AsUser alice(kAlice);
             set_persistent(run.fds[0].get(), true);
             run.fds.clear();
             const UniqueFd again = attach_tap(name, kFlags);
             set_mac(again.get(), name, {0, 0, 0, 0, 0, 1});
             return held_if(World::link_attribute("br0", "address") == before);
         }},
        {"another guest's frames, by its MAC on his tap",
         [](const World& world) {
             const std::string mac("\x52\x54\x00\x00\x00\x07", 6);
             const HelperResult bobs = World::run_helper(kArgs, world.as(kBob));
             const HelperResult run = world.attach();
             const std::string hello =
                 std::string(10, '\0') + std::string(6, '\xff') + mac + std::string(60, '\x7f');
             if (write(bobs.fds.at(0).get(), hello.data(), hello.size()) < 0) {
                 return Outcome::broken;
             }
             const AsUser alice(kAlice);
             set_mac(run.fds.at(0).get(), World::tap_name(run.fds[0].get()),
                     {0x52, 0x54, 0, 0, 0, 7});
             return held_if(!is_address_of_host("br0", mac));
         },
         true},
        {"the name of his tap, or of the bridge",
         [](const World& world) {
             const HelperResult run = world.attach();
             const AsUser alice(kAlice);
             return held_if(rename_link(World::tap_name(run.fds.at(0).get()), "eth9") == EPERM &&
                            rename_link("br0", "eth9") == EPERM);
         }},
    };
}

// ---- the helper itself ----

// Whether a process of alice's got at a helper that has privilege: at its memory or descriptors.
bool is_within_reach(pid_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid);
    const UniqueFd memory(open((directory + "/mem").c_str(), O_RDWR | O_CLOEXEC));
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    const UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), 1, 0)));
    return memory || taken || ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
}

Attacks helper_itself() {
    return {
        {"its memory, descriptors and control, while it is stopped",
         [](const World& world) {
             int seen = 0;
             for (int i = 0; i < 200; ++i) {
                 const HelperProcess helper(kArgs, world.alice());
                 usleep(static_cast<useconds_t>(i % 50 * 40));
                 helper.kill(SIGSTOP);
                 const std::string status =
                     read_text("/proc/" + std::to_string(helper.pid()) + "/status");
                 // Before that it is a process of the test's.
                 if (!status.starts_with(world.ours() ? "Name:\ttapgate" : "Name:\tqemu")) {
                     continue;
                 }
                 ++seen;
                 if (in_process_of(kAlice, [&] { return is_within_reach(helper.pid()) ? 1 : 0; }) !=
                     0) {
                     return Outcome::broken;
                 }
             }
             if (seen == 0) {
                 throw std::runtime_error("it was never stopped in time");
             }
             return Outcome::held;
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
             return held_if(granted(World::run_helper(kArgs, options)) &&
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
                 for (int k = 0; k < 100; ++k) {
                     many += next;
                 }
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
                         if ((closed >> static_cast<unsigned>(fd) & 1U) != 0) {
                             close(fd);
                         }
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
                 {"--br=none", "--fd=2"}, world.alice([] { dup2(kSocketNumber, 2); }));
             return held_if(run.exit_status == 1 && run.fds.empty());
         }},
        {"limits: descriptors, stack, processes, locked memory, data",
         [](const World& world) {
             Outcome outcome = Outcome::held;
             for (rlim_t files = 4; files < 16; ++files) {
                 outcome = all({outcome, clean(world.attach(limit(RLIMIT_NOFILE, files)))});
             }
             return all({outcome, clean(world.attach(limit(RLIMIT_STACK, 128U << 10U))),
                         clean(world.attach(limit(RLIMIT_NPROC, 0))),
                         clean(world.attach(limit(RLIMIT_MEMLOCK, 0)))});
         }},
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
                 for (const int signal : {SIGALRM, SIGCHLD, SIGTERM, SIGPIPE, SIGSYS}) {
                     std::signal(signal, SIG_IGN);
                 }
             }));
         }},
        {"its death at any moment: a tap that stays",
         [](const World& world) {
             for (int delay = 0; delay < 3000; delay += 50) {
                 HelperProcess helper(kArgs, world.alice());
                 usleep(static_cast<useconds_t>(delay));
                 helper.kill(SIGKILL);
                 helper.finish();
                 if (!World::no_taps_left()) {
                     return Outcome::broken;
                 }
             }
             return Outcome::held;
         }},
        {"a reply that nobody takes: it waits for ever",
         [](const World& world) {
             HelperOptions options = world.alice([] {
                 const std::string junk(4096, 'x');
                 while (send(kSocketNumber, junk.data(), junk.size(), MSG_DONTWAIT) > 0) {
                 }
                 while (send(kSocketNumber, junk.data(), 1, MSG_DONTWAIT) > 0) {
                 }
             });
             options.deaf = true;
             const HelperResult run = World::run_helper(kArgs, options);
             return held_if(!run.timed_out && run.exit_status == 1);
         }},
    };
}

// ---- the table ----

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

TEST(Abuse, IsHeldWhereverThePromiseSpeaks) {
    TAPGATE_REQUIRE(geteuid() == 0, "root");
    const char* const value = std::getenv("TAPGATE_ABUSE_STOCK");
    const bool compare = value != nullptr && std::strcmp(value, "1") == 0;
    const std::vector<std::pair<const char*, Attacks>> parts = {
        {"other bridges than the policy allows", other_bridges()},
        {"the policy's files", policy_files()},
        {"more taps than the policy says", too_many_taps()},
        {"other port options than the policy says; the host's network", port_and_network()},
        {"the helper itself", helper_itself()},
    };
    std::ostringstream table;
    const auto row = [&](const std::string& name, const char* ours, const char* stock) {
        table << std::left << std::setw(72) << name << std::setw(16) << ours << stock << '\n';
    };
    row("", "tapgate-helper", compare ? "qemu-bridge-helper" : "");
    for (const auto& [title, attacks] : parts) {
        table << title << '\n';
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
    }
    std::cout << table.str();
}

}  // namespace
}  // namespace tapgate
