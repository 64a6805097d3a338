// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against "on bridges that the policy allows this user", and the files that say so.

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tests/system/abuse.h"

namespace tapgate {
namespace {

// --- "on bridges that the policy allows this user"

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
             const AsUser alice(alice_account);
             return held_if(set_master(World::tap_name(run.fds.at(0).get()), "br1") == EPERM &&
                            set_master(World::tap_name(run.fds.at(0).get()), "") == EPERM);
         }},
        {"another user's tap, which he made persistent and left",
         [](const World& world) {
             HelperResult bobs = World::run_helper(usual_args, world.as(bob_account));
             const std::string name = World::tap_name(bobs.fds.at(0).get());
             set_persistent(bobs.fds[0].get(), true);
             bobs.fds.clear();
             const AsUser alice(alice_account);
             return held_if(!attach_tap(name, vnet_tap_flags));
         }},
        {"a queue of another user's tap that is in use",
         [](const World& world) {
             if (!world.ours())
                 return Outcome::nothing_to_break;
             World::write_policy("allow br0 contain\n");
             const HelperResult bobs =
                 World::run_helper({"--br=br0", "--fd=27", "--queues=2"}, world.as(bob_account));
             const AsUser alice(alice_account);
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
                     if (write(fd, map, std::strlen(map)) < 0)
                         _exit(125);
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

// --- The policy's own files

// A deny, in a file that alice cannot read, does not deny her. Whether `tapgate-policy check` tells
// root so.
Outcome unreadable_denies(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    const std::string directory = "/etc/qemu/more.d";
    const std::string file = directory + "/deny.conf";
    World::write_policy("include " + file + "\nallow br0 contain\n");
    World::make_directory(directory);
    World::write_file(file, "deny br0 user=alice\n");
    const auto silent = [] {
        return World::ask_policy({"check"}, tapgate::as({"root", 0, 0})).exit_status == 0;
    };
    // system.posix_acl_access as setfacl(1) writes it, of version 2 and entries of a tag,
    // permissions and an id: all may read and enter, except alice.
    struct Entry {
        std::uint16_t tag, permissions;
        std::uint32_t id;
    };
    const struct {
        std::uint32_t version = 2;
        std::array<Entry, 5> entries = {
            {{1, 7, ~0U}, {2, 0, alice_account.uid}, {4, 5, ~0U}, {16, 5, ~0U}, {32, 5, ~0U}}};
    } list;
    std::vector<Outcome> outcomes = {held_if(silent() && refused(world.attach()) == Outcome::held)};
    for (const std::string& part : {file, directory}) {
        for (const auto& [mode, gid] : std::vector<std::pair<mode_t, gid_t>>{
                 {0700, 0}, {0750, 0}, {0705, alice_account.gid}, {0755, 0}}) {
            if (chown(part.c_str(), 0, gid) != 0 || chmod(part.c_str(), mode) != 0 ||
                (mode == 0755 &&
                 setxattr(part.c_str(), "system.posix_acl_access", &list, sizeof list, 0) != 0))
                throw std::runtime_error("cannot keep alice from reading " + part);
            outcomes.push_back(held_if(world.attach().exit_status == 0 && !silent()));
        }
        if (removexattr(part.c_str(), "system.posix_acl_access") != 0 ||
            chmod(part.c_str(), 0755) != 0)
            throw std::runtime_error("cannot let alice read " + part);
    }
    return all(outcomes);
}

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
             unlink(policy_file);
             return symlink("/mnt/home/mine", policy_file) == 0 ? refused(world.attach())
                                                                : Outcome::broken;
         }},
        {"a FIFO in the policy's place",
         [](const World& world) {
             unlink(policy_file);
             mkfifo(policy_file, 0644);
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
             if (symlink("/etc/qemu/secret.conf", "/mnt/home/mine") != 0)
                 return Outcome::broken;
             const HelperResult run = world.attach();
             return held_if(refused(run) == Outcome::held &&
                            run.err.find("topsecret") == std::string::npos);
         }},
        {"an include in the user's directory: he removes root's deny",
         [](const World& world) {
             World::write_policy("allow br0\ninclude /mnt/home/roots\n");
             World::write_file("/mnt/home/roots", "deny br0\n");
             in_process_of(alice_account, [] { return unlink("/mnt/home/roots"); });
             return refused(world.attach());
         },
         true},
        {"a relative include, from his own directory",
         [](const World& world) {
             World::write_policy("include mine\n");
             World::write_file_of_alices("home/mine", "allow br0\n");
             return refused(world.attach([] {
                 if (chdir("/mnt/home") != 0)
                     _exit(125);
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
        {"a deny that he cannot read, by mode, list or directory: nobody notices",
         unreadable_denies},
        {"the end of a comment of 4 KiB, taken for a rule",
         [](const World& world) {
             World::write_policy("#" + std::string(4094, 'x') + "allow br0\n");
             return refused(world.attach());
         }},
        {"the beginning of a policy, whose disk, or his cgroup's memory, gives no more",
         [](const World& world) {
             // sysfs says that its files have the size of a page, and they have less.
             const char* const file = "/sys/class/net/br0/ifalias";
             if (set_alias("br0", "allow br0") != 0 || unlink(policy_file) != 0 ||
                 symlink(file, policy_file) != 0 || read_text(policy_file) != "allow br0\n")
                 throw std::runtime_error("there is no such file");
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

TEST(Abuse, OfThePolicy) {
    expect_held("other bridges than the policy allows", other_bridges());
    expect_held("the policy's files", policy_files());
}

}  // namespace
}  // namespace tapgate
