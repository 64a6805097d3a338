// SPDX-License-Identifier: GPL-2.0-or-later
//
// What privilege the helper has at which moment, seen from outside; and what went wrong in other
// privileged helpers, each lesson a test.

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>

#include <gmock/gmock.h>

#include "tests/system/netlink.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* bad_policy = "failed to parse default acl file `/etc/qemu/bridge.conf'";
constexpr const char* no_capability = "0000000000000000";
constexpr const char* net_admin_only = "0000000000001000";  // 1 << CAP_NET_ADMIN

class Privilege : public BothInstalls {
  protected:
    void prepare() override { allow_br0(); }
};
TAPGATE_BOTH_INSTALLS(Privilege);

class Policy : public Testbed {
  protected:
    void prepare() override {
        add_bridge("br0");
        make_directory("/etc/qemu");
    }
};

// --- Who the helper is, and when

// What /proc says of a process at one moment.
struct Snapshot {
    std::map<std::string, std::string> status;
    uid_t owner = 0;

    static Snapshot of(pid_t pid) {
        Snapshot snapshot;
        const std::string directory = "/proc/" + std::to_string(pid);
        std::istringstream lines(read_text(directory + "/status"));
        for (std::string line; std::getline(lines, line);) {
            const std::size_t colon = line.find(':');
            const std::size_t value = line.find_first_not_of(" \t", colon + 1);
            if (colon != std::string::npos && value != std::string::npos)
                snapshot.status[line.substr(0, colon)] = line.substr(value);
        }
        // Not dumpable: the files below /proc/PID are root's, and nobody may trace it.
        struct stat file {};
        stat((directory + "/mem").c_str(), &file);
        snapshot.owner = file.st_uid;
        return snapshot;
    }
    std::string get(const std::string& key) const {
        const auto found = status.find(key);
        return found == status.end() ? "(missing)" : found->second;
    }
};

struct Moments {
    std::optional<Snapshot> policy;    // the policy file is about to be opened
    std::optional<Snapshot> tun;       // the first tap
    std::optional<Snapshot> handover;  // the reply is about to be sent
    HelperResult run;
};

Moments observe(const std::vector<std::string>& args, const HelperOptions& options = {}) {
    Moments moments;
    moments.run = run_traced(args, options, [&](const TracedCall& call) {
        if (call.number == SYS_openat) {
            const std::string file = traced_string(call.pid, call.args[1]);
            if (file == policy_file && !moments.policy) {
                moments.policy = Snapshot::of(call.pid);
            } else if (file == "/dev/net/tun" && !moments.tun) {
                moments.tun = Snapshot::of(call.pid);
            }
        }
        if (!fds_being_sent(call).empty())
            moments.handover = Snapshot::of(call.pid);
        return TraceAction{};
    });
    return moments;
}

void expect_caller(const Snapshot& s, const HelperOptions& options) {
    const std::string uid = std::to_string(options.uid);
    const std::string gid = std::to_string(options.gid);
    EXPECT_EQ(s.get("Uid"), uid + "\t" + uid + "\t" + uid + "\t" + uid);
    EXPECT_EQ(s.get("Gid"), gid + "\t" + gid + "\t" + gid + "\t" + gid);
}

void expect_confined(const Snapshot& s) {
    EXPECT_EQ(s.get("CapInh"), no_capability);
    EXPECT_EQ(s.get("CapAmb"), no_capability);
    // The bounding set does not matter: it limits what an exec can gain, which is nothing with
    // no-new-privs.
    EXPECT_EQ(s.get("NoNewPrivs"), "1");
    EXPECT_EQ(s.get("Seccomp"), "2");
    EXPECT_EQ(s.owner, 0U) << "dumpable";
}

TEST_P(Privilege, OnlyNetAdminWhenThePolicyIsRead) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    HelperOptions options;
    options.groups = {students_gid};
    const Moments m = observe(usual_args, options);
    ASSERT_TRUE(granted(m.run));
    ASSERT_TRUE(m.policy);
    expect_caller(*m.policy, options);
    EXPECT_EQ(m.policy->get("CapPrm"), net_admin_only);
    EXPECT_EQ(m.policy->get("CapEff"), net_admin_only);
    EXPECT_THAT(m.policy->get("Groups"), HasSubstr("3001"));
    expect_confined(*m.policy);
    ASSERT_TRUE(m.tun);
    expect_caller(*m.tun, options);
    EXPECT_EQ(m.tun->get("CapPrm"), net_admin_only);
    expect_confined(*m.tun);
}

TEST_P(Privilege, NothingInEffectWhenTheFdIsSent) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    const HelperOptions options;
    write_policy("allow br0 contain\n");
    for (const auto& extra : {std::string("--use-vnet"), std::string("--queues=4")}) {
        const Moments m = observe({"--fd=27", "--br=br0", extra}, options);
        ASSERT_EQ(m.run.exit_status, 0) << describe(m.run);
        ASSERT_TRUE(m.handover);
        expect_caller(*m.handover, options);
        EXPECT_EQ(m.handover->get("CapPrm"), net_admin_only);
        EXPECT_EQ(m.handover->get("CapEff"), no_capability);
        expect_confined(*m.handover);
    }
}

// A caller who has capabilities of his own (a container's root, a file-capable launcher) does not
// make the helper more powerful: an ambient or inheritable set must not get through.
TEST_P(Privilege, CallersCapabilitiesDoNotGetThrough) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    HelperOptions options;
    options.uid = 0;  // changed in the child, which keeps the capabilities
    options.before_exec = [] {
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        if (setgroups(0, nullptr) != 0 ||
            setresgid(alice_account.gid, alice_account.gid, alice_account.gid) != 0 ||
            setresuid(alice_account.uid, alice_account.uid, alice_account.uid) != 0) {
            _exit(125);
        }
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> data{};
        data[0].permitted = data[0].effective = data[0].inheritable =
            (1U << CAP_NET_ADMIN) | (1U << CAP_DAC_OVERRIDE) | (1U << CAP_NET_RAW);
        syscall(SYS_capset, &header, data.data());
        for (const int capability : {CAP_NET_ADMIN, CAP_DAC_OVERRIDE, CAP_NET_RAW})
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
    };
    const Moments m = observe(usual_args, options);
    ASSERT_TRUE(granted(m.run));
    ASSERT_TRUE(m.policy);
    HelperOptions alice;
    expect_caller(*m.policy, alice);
    EXPECT_EQ(m.policy->get("CapPrm"), net_admin_only);
    EXPECT_EQ(m.policy->get("CapEff"), net_admin_only);
    expect_confined(*m.policy);
    EXPECT_EQ(m.handover->get("CapPrm"), net_admin_only);
    EXPECT_EQ(m.handover->get("CapEff"), no_capability);
}

// The same when the file gave no privilege at all.
TEST_P(Privilege, RootAsTheCallerIsDroppedToo) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    HelperOptions options;
    options.uid = 0;
    options.gid = 0;
    const Moments m = observe(usual_args, options);
    ASSERT_TRUE(granted(m.run));
    ASSERT_TRUE(m.policy);
    EXPECT_EQ(m.policy->get("CapPrm"), net_admin_only);
    EXPECT_EQ(m.policy->get("CapEff"), net_admin_only);
    EXPECT_EQ(m.policy->get("CapAmb"), no_capability);
    EXPECT_EQ(m.policy->get("CapInh"), no_capability);
    ASSERT_TRUE(m.handover);
    EXPECT_EQ(m.handover->get("CapPrm"), net_admin_only);
    EXPECT_EQ(m.handover->get("CapEff"), no_capability);
}

// Everything from the first instruction to the drop: nothing is opened and nothing written with
// root's rights, so no order of arguments or environment can make use of them.
TEST_P(Privilege, NothingIsOpenedBeforeTheDrop) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    std::vector<std::string> opened;
    const HelperResult run = run_traced(usual_args, {}, [&](const TracedCall& call) {
        if (call.index != 0 && call.number == SYS_openat) {
            const Snapshot s = Snapshot::of(call.pid);
            if (s.get("CapEff") != net_admin_only && s.get("CapEff") != no_capability)
                opened.push_back(traced_string(call.pid, call.args[1]));
        }
        return TraceAction{};
    });
    ASSERT_TRUE(granted(run));
    // What constructors of libraries read about the kernel is no input of the caller's.
    std::erase_if(opened, [](const std::string& file) { return file.starts_with("/proc/"); });
    EXPECT_THAT(opened, IsEmpty());
}

// The caller has the helper's uid after the drop. He must not be able to stop or read it.
TEST_P(Privilege, CallerCannotTraceIt) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    int opened = 0;
    const HelperResult run = run_traced(usual_args, {}, [&](const TracedCall& call) {
        if (call.number == SYS_openat && traced_string(call.pid, call.args[1]) == policy_file) {
            const pid_t child = fork();
            if (child == 0) {
                if (setgroups(0, nullptr) != 0 ||
                    setresgid(alice_account.gid, alice_account.gid, alice_account.gid) != 0 ||
                    setresuid(alice_account.uid, alice_account.uid, alice_account.uid) != 0) {
                    _exit(125);
                }
                const std::string directory = "/proc/" + std::to_string(call.pid);
                for (const char* file : {"/mem", "/environ", "/maps", "/syscall"}) {
                    if (open((directory + file).c_str(), O_RDONLY | O_CLOEXEC) >= 0)
                        _exit(1);
                }
                const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, call.pid, 0));
                for (int fd = 0; fd < 40; ++fd) {
                    if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
                        _exit(2);
                }
                _exit(0);
            }
            int status = 0;
            waitpid(child, &status, 0);
            opened = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        return TraceAction{};
    });
    ASSERT_TRUE(granted(run));
    EXPECT_EQ(opened, 0);
}

// --- Not privileged at all

TEST_P(Privilege, NoNewPrivsCallerIsToldSo) {
    HelperOptions options;
    options.before_exec = [] { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); };
    const HelperResult run = run_helper(usual_args, options);
    EXPECT_TRUE(failed(run, "failed to create tun device: Operation not permitted"));
    EXPECT_THAT(run.err, testing::ContainsRegex("no[-_ ]new[-_ ]priv"));
}

TEST_F(Policy, HelperWithoutPrivilegeSaysHowToInstallIt) {
    write_policy("allow br0\n");
    install(Install::plain);
    const HelperResult run = run_helper(usual_args);
    EXPECT_TRUE(failed(run, "failed to create tun device: Operation not permitted"));
    EXPECT_THAT(run.err, HasSubstr("chmod 4755"));
}

// A refusal is the same with and without privilege, so that it tells nothing but what the policy
// says.
TEST_F(Policy, RefusalIsTheSameWithoutPrivilege) {
    write_policy("deny br0\n");
    const HelperResult privileged = run_helper(usual_args);
    install(Install::plain);
    const HelperResult plain = run_helper(usual_args);
    EXPECT_TRUE(failed(privileged, denied_by_acl));
    EXPECT_EQ(privileged.err, plain.err);
}

// An unprivileged user is root in a user namespace of his own, with a network of his own there. The
// helper must not carry privilege over from one side to the other.
TEST_P(Privilege, UserNamespaceOfTheCallers) {
    for (const bool own_network : {false, true}) {
        for (const bool as_root : {false, true}) {
            HelperOptions options;
            options.before_exec = [own_network, as_root] {
                // /proc/self belongs to root, as this process did a moment ago.
                prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
                const auto map_of = [as_root](unsigned id) {
                    return std::to_string(as_root ? 0 : id) + " " + std::to_string(id) + " 1";
                };
                const std::string uids = map_of(geteuid());
                const std::string gids = map_of(getegid());
                if (unshare(CLONE_NEWUSER | (own_network ? CLONE_NEWNET : 0)) != 0)
                    _exit(124);
                const auto put = [](const char* file, const std::string& text) {
                    const int fd = open(file, O_WRONLY | O_CLOEXEC);
                    if (write(fd, text.data(), text.size()) < 0)
                        _exit(125);
                };
                put("/proc/self/uid_map", uids);
                put("/proc/self/setgroups", "deny");
                put("/proc/self/gid_map", gids);
            };
            const HelperResult run = run_helper(usual_args, options);
            if (run.exit_status == 124)
                TAPGATE_REQUIRE(false, "unprivileged user namespaces");
            // There is no br0 in a network of his own, and no right to the one outside.
            // And root, whose the policy is, is nobody in there.
            EXPECT_TRUE(failed_saying(run, "", "in which tapgate-helper has no privilege"))
                << own_network << as_root;
            EXPECT_THAT(ports("br0"), IsEmpty());
        }
    }
}

// --- CVE-2019-13164 (qemu-bridge-helper): compare and use the same bytes; refuse long names

TEST_P(Privilege, Cve201913164LongNames) {
    const std::string fifteen = "br-0123456789ab";
    add_bridge(fifteen);
    // The hole: a deny of 15 bytes, and a request of 16 that the kernel would cut to them.
    write_policy("allow all\ndeny " + fifteen + "\n");
    EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=" + fifteen + "c"}), "name `"));
    EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=" + fifteen}), denied_by_acl));
    for (const char* command : {"allow", "deny"}) {
        write_policy("allow br0\n" + std::string(command) + " " + fifteen + "c\n");
        EXPECT_TRUE(failed_saying(run_helper(usual_args), "", "bridge.conf:2"));
    }
    // NUL bytes are another way to make one name look like two, and characters that nobody sees.
    for (const std::string& text :
         {std::string("allow br0\0x\n", 12), std::string("allow\0br0\n", 10),
          std::string("allow br0\n\0deny br0\n", 20), std::string("allow br0\nden\0y br0\n", 20),
          std::string("allow br0\ndeny br0\xc2\xa0\n"),
          std::string("allow br0\ndeny br0 user=2001\xe2\x80\x8b\n")}) {
        write_policy(text);
        EXPECT_TRUE(failed(run_helper(usual_args), "")) << text;
    }
}

// The kernel finds an interface by its alternative names, too; a `deny` is about the proper one
// only.
TEST_P(Privilege, AnotherNameOfADeniedBridgeIsNoWayAround) {
    add_bridge("br-mgmt");
    Rtnl().add_altname("br-mgmt", "open");
    write_policy("allow all\ndeny br-mgmt\n");
    EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=br-mgmt"}), denied_by_acl));
    EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=open"}),
                       "failed to get mtu of bridge `open': open is another name of br-mgmt"));
}

TEST_P(Privilege, Cve202247952CompareWholeFields) {
    // lxc-user-nic: a prefix, a suffix or another case of an allowed name is another name.
    for (const char* name : {"br", "br00", "br0.1", "br0x", "BR0", "Br0", "xbr0"}) {
        if (std::strcmp(name, "BR0") != 0 && std::strcmp(name, "Br0") != 0)
            add_bridge(name);
        EXPECT_TRUE(
            failed(run_helper({"--fd=27", std::string("--br=") + name}),
                   std::string(denied_by_acl) + "/etc/qemu/bridge.conf: no rule allows " + name));
    }
    // `all` is a wildcard in the policy, and none in a request.
    write_policy("allow br0\n");
    EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=all"}), denied_by_acl));
    write_policy("deny br0\nallow all\n");
    EXPECT_TRUE(failed(run_helper(usual_args), denied_by_acl));
    EXPECT_TRUE(failed(run_helper({"--fd=27", "--br=all"}), "failed to get mtu of bridge `all'"));
}

// --- The policy file: only root's word counts

TEST_P(Privilege, PolicyThatOthersCanWriteIsNotObeyed) {
    for (const mode_t mode : {0666U, 0664U, 0646U, 0622U | 0044U, 0777U}) {
        write_policy("allow br0\n", mode);
        EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << std::oct << mode;
    }
    unlink(policy_file);
    write_file(policy_file, "allow br0\n", 0644, alice_account.uid, alice_account.gid);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy));
    // The same for another caller.
    HelperOptions bob;
    bob.uid = bob_account.uid;
    bob.gid = bob_account.gid;
    EXPECT_TRUE(failed(run_helper(usual_args, bob), bad_policy));
    unlink(policy_file);
    // Another group than root's may read it.
    write_file(policy_file, "allow br0\n", 0644, 0, alice_account.gid);
    EXPECT_TRUE(granted(run_helper(usual_args)));
}

TEST_P(Privilege, PolicyThatIsNoFile) {
    make_directory("/etc/qemu/bridge.conf.d");
    unlink(policy_file);
    ASSERT_EQ(mkfifo(policy_file, 0644), 0);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "a FIFO";
    unlink(policy_file);
    make_directory(policy_file);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "a directory";
    rmdir(policy_file);
    ASSERT_EQ(mknod(policy_file, S_IFCHR | 0644, makedev(1, 5)), 0);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "/dev/zero";
    unlink(policy_file);
    ASSERT_EQ(symlink("bridge.conf", policy_file), 0);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "a symlink to itself";
}

TEST_P(Privilege, PolicyThatIsASymlink) {
    write_file("/etc/real.conf", "allow br0\n");
    make_directory(path("home"), 0755, alice_account.uid, alice_account.gid);
    write_file(path("home/my.conf"), "allow br0\n", 0644, alice_account.uid, alice_account.gid);
    unlink(policy_file);
    ASSERT_EQ(symlink((path("home") + "/my.conf").c_str(), policy_file), 0);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "to a user's file";
    unlink(policy_file);
    ASSERT_EQ(symlink("/etc/real.conf", policy_file), 0);
    EXPECT_TRUE(granted(run_helper(usual_args))) << "to root's file";
}

// --- Includes

TEST_P(Privilege, IncludeThatOthersCanWriteIsFatal) {
    make_directory(path("home"), 0777, alice_account.uid, alice_account.gid);
    const std::string mine = path("home/mine.conf");
    write_policy("include " + mine + "\n");
    write_file(mine, "allow br0\n", 0644, alice_account.uid, alice_account.gid);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "a user's";
    unlink(mine.c_str());
    write_file(mine, "allow br0\n", 0666);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "root's, world-writable";
    // Contributing nothing would be looser than the stock helper where it denies.
    write_policy("allow br0\ninclude " + mine + "\n");
    write_file(mine, "deny br0\n", 0666);
    EXPECT_TRUE(failed(run_helper(usual_args), "")) << "with a deny";
    unlink(mine.c_str());
    ASSERT_EQ(mkfifo(mine.c_str(), 0644), 0);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "a FIFO of root's";
    ASSERT_EQ(chown(mine.c_str(), alice_account.uid, alice_account.gid), 0);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy)) << "a FIFO of the user's";
}

// Into a directory of his own the user can put any file of root's, by a link.
TEST_P(Privilege, IncludeThroughAUsersSymlink) {
    make_directory(path("home"), 0755, alice_account.uid, alice_account.gid);
    write_policy("allow br0\ninclude " + path("home/link.conf") + "\n");
    write_file(path("secret"), "topsecret words\n", 0600);
    ASSERT_EQ(symlink(path("secret").c_str(), path("home/link.conf").c_str()), 0);
    const HelperResult run = run_helper(usual_args);
    EXPECT_EQ((run.out + run.err).find("topsecret"), std::string::npos) << describe(run);
    EXPECT_TRUE(granted(run)) << "unreadable: contributes nothing";
}

TEST_P(Privilege, UnreadableIncludeContributesNothing) {
    write_file("/etc/qemu/secret.conf", "topsecret words\nallow br0\n", 0600);
    write_policy("include /etc/qemu/secret.conf\ninclude /etc/qemu/nosuch.conf\n");
    HelperResult run = run_helper(usual_args);
    EXPECT_TRUE(failed(run, denied_by_acl));
    EXPECT_EQ(run.err.find("topsecret"), std::string::npos) << run.err;
    for (const auto& args :
         std::vector<std::vector<std::string>>{{"explain", "--br=br0"}, {"check"}}) {
        run = ask_policy(args);
        EXPECT_EQ((run.out + run.err).find("topsecret"), std::string::npos) << args[0];
    }
    write_policy("include /etc/qemu/secret.conf\ninclude /etc/qemu/nosuch.conf\nallow br0\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
}

// lxc-user-nic: one answer for what is not there and what may not be seen, or the helper is an
// oracle for it.
TEST_P(Privilege, NoOracleForFilesThatTheCallerCannotSee) {
    make_directory("/etc/qemu/closed", 0700);
    write_file("/etc/qemu/closed/there.conf", "allow br0\n");
    std::vector<std::string> answers;
    for (const char* name : {"there", "nosuc"}) {
        write_policy("include /etc/qemu/closed/" + std::string(name) + ".conf\n");
        const HelperResult run = run_helper(usual_args);
        EXPECT_TRUE(failed(run, denied_by_acl));
        answers.push_back(run.err);
    }
    EXPECT_EQ(answers[0], answers[1]);
}

TEST_P(Privilege, GroupReadableIncludeGrantsTheGroup) {
    write_policy("include /etc/qemu/students.conf\n");
    write_file("/etc/qemu/students.conf", "allow br0\n", 0640, 0, students_gid);
    HelperOptions member;
    member.groups = {students_gid};
    EXPECT_TRUE(granted(run_helper(usual_args, member)));
    HelperOptions primary;
    primary.gid = students_gid;
    EXPECT_TRUE(granted(run_helper(usual_args, primary)));
    HelperOptions other;
    other.uid = bob_account.uid;
    other.gid = bob_account.gid;
    EXPECT_TRUE(failed(run_helper(usual_args, other), denied_by_acl));
    // In /etc/group, but not in the groups that the process has.
    EXPECT_TRUE(failed(run_helper(usual_args), denied_by_acl));
}

TEST_F(Policy, IncludesRelativeToTheIncludingFile) {
    make_directory("/etc/qemu/d");
    write_file("/etc/qemu/d/a.conf", "include b.conf\n");
    write_file("/etc/qemu/d/b.conf", "allow br0\n");
    write_policy("include d/a.conf\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
    // Not to the caller's directory, where he could put what he likes.
    unlink("/etc/qemu/d/b.conf");
    make_directory(path("home"), 0755, alice_account.uid, alice_account.gid);
    make_directory(path("home/d"), 0755, alice_account.uid, alice_account.gid);
    write_file(path("home/d/a.conf"), "allow br0\n");
    write_file(path("home/b.conf"), "allow br0\n");
    HelperOptions options;
    options.before_exec = [] {
        if (chdir("/mnt/home") != 0)
            _exit(125);
    };
    EXPECT_TRUE(failed(run_helper(usual_args, options), denied_by_acl));
}

TEST_F(Policy, IncludeLoopsAreFatal) {
    write_policy("allow br0\ninclude /etc/qemu/bridge.conf\n");
    EXPECT_TRUE(failed_saying(run_helper(usual_args), bad_policy, "bridge.conf:2"));
    write_policy("allow br0\ninclude a.conf\n");
    write_file("/etc/qemu/a.conf", "include b.conf\n");
    write_file("/etc/qemu/b.conf", "include a.conf\n");
    EXPECT_TRUE(failed_saying(run_helper(usual_args), bad_policy, "b.conf:1"));
    // A loop in which each turn spells the name differently.
    write_file("/etc/qemu/a.conf", "include ../qemu/./a.conf\n");
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy));
    // The same file twice is no loop.
    write_file("/etc/qemu/a.conf", "# nothing\n");
    write_policy("include a.conf\ninclude a.conf\nallow br0\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
}

TEST_F(Policy, IncludeDepthIsBounded) {
    const auto chain = [](int depth) {
        write_policy("include 1.conf\n");
        for (int i = 1; i < depth; ++i) {
            write_file("/etc/qemu/" + std::to_string(i) + ".conf",
                       "include " + std::to_string(i + 1) + ".conf\n");
        }
        write_file("/etc/qemu/" + std::to_string(depth) + ".conf", "allow br0\n");
    };
    chain(8);
    EXPECT_TRUE(granted(run_helper(usual_args)));
    chain(9);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy));
    chain(500);
    EXPECT_TRUE(failed(run_helper(usual_args), bad_policy));
}

// Depth alone does not bound the work: each of 8 files including the next one many times.
TEST_F(Policy, IncludesThatFanOutEndInTime) {
    write_policy("include 1.conf\n");
    for (int i = 1; i <= 7; ++i) {
        std::string text;
        for (int k = 0; k < 100; ++k)
            text += "include " + std::to_string(i + 1) + ".conf\n";
        write_file("/etc/qemu/" + std::to_string(i) + ".conf", text);
    }
    write_file("/etc/qemu/8.conf", "allow br0\n");
    EXPECT_TRUE(failed(run_helper(usual_args), ""));
}

TEST_F(Policy, SyntaxErrorInAnIncludeIsFatal) {
    // The stock helper ignores it, and with it the deny that follows.
    write_policy("include a.conf\nallow br0\n");
    write_file("/etc/qemu/a.conf", "oops\ndeny br0\n");
    EXPECT_TRUE(failed_saying(run_helper(usual_args), bad_policy, "/etc/qemu/a.conf:1"));
}

TEST_F(Policy, TextOfAPolicyIsNotReflectedRaw) {
    write_policy("allow br0\n\x1b[31mevil\x07\n");
    const HelperResult run = run_helper(usual_args);
    EXPECT_TRUE(failed(run, bad_policy));
    EXPECT_EQ(run.err.find('\x1b'), std::string::npos);
}

// --- Sizes

TEST_F(Policy, LongLines) {
    // The stock helper cuts lines into pieces of 4095 bytes and reads each as a line: a comment
    // becomes a rule.
    for (const std::size_t length : {4094U, 4095U, 4096U, 8190U, 1U << 20U}) {
        write_policy("#" + std::string(length - 1, 'x') + "allow br0\n");
        EXPECT_TRUE(failed(run_helper(usual_args), "")) << length;
        write_policy("allow br0\n" + std::string(length, ' ') + "deny br0\n");
        EXPECT_TRUE(failed(run_helper(usual_args), "")) << length;
        write_policy("allow br0\ndeny " + std::string(length, 'b') + "\n");
        EXPECT_TRUE(failed(run_helper(usual_args), "")) << length;
        write_policy("allow br0\n" + std::string(length, 'x') + "\n");
        EXPECT_TRUE(failed(run_helper(usual_args), "")) << length;
    }
}

TEST_F(Policy, LargeFiles) {
    std::string rules;
    for (int i = 0; i < 20000; ++i)
        rules += "allow br" + std::to_string(i + 1) + "\n";
    write_policy(rules + "allow br0\n");
    EXPECT_TRUE(granted(run_helper(usual_args)));
    write_policy(rules + "allow br0\ndeny br0\n");
    EXPECT_TRUE(failed(run_helper(usual_args), denied_by_acl));
    // A last line without a newline counts.
    write_policy(rules + "allow br0\ndeny br0");
    EXPECT_TRUE(failed(run_helper(usual_args), denied_by_acl));
    // Beyond reason: any answer will do, but in time.
    std::string huge(64U << 20U, '\n');
    huge += "deny br0\n";
    write_policy("allow br0\n" + huge);
    EXPECT_TRUE(failed(run_helper(usual_args), ""));
}

// --- Never a hang

TEST_P(Privilege, GivesUpAfterTenSeconds) {
    HelperOptions options;
    options.deaf = true;
    options.before_exec = [] {
        // Not one byte fits any more, so the reply blocks.
        const std::string junk(4096, 'x');
        while (send(socket_number, junk.data(), junk.size(), MSG_DONTWAIT) > 0) {
        }
        while (send(socket_number, junk.data(), 1, MSG_DONTWAIT) > 0) {
        }
        // And with whatever a caller might do to keep the alarm from working.
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
        std::signal(SIGALRM, SIG_IGN);
    };
    const auto start = std::chrono::steady_clock::now();
    HelperResult run = run_helper(usual_args, options);
    const auto took = std::chrono::steady_clock::now() - start;
    run.data.clear();  // the junk
    EXPECT_TRUE(failed(run, ""));
    EXPECT_GE(took, std::chrono::seconds(8));
    EXPECT_LE(took, std::chrono::seconds(13));
}

// Nor does it wait until somebody reads its last words.
TEST_P(Privilege, GivesUpThoughNobodyReadsWhy) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_NONBLOCK), 0);
    const UniqueFd reading(ends[0]);
    const UniqueFd writing(ends[1]);
    while (write(writing.get(), "x", 1) == 1) {
    }
    ASSERT_EQ(fcntl(writing.get(), F_SETFL, 0), 0);
    HelperOptions options;
    options.before_exec = [&] { dup2(writing.get(), STDERR_FILENO); };
    const HelperResult run = run_helper({"--br=none", "--fd=27"}, options);
    EXPECT_FALSE(run.timed_out);
    EXPECT_EQ(run.signal, SIGALRM) << describe(run);
}

// --- Squatting (Lima's network helper)

// If the caller chose the tap's name, he could take another's. The kernel chooses.
TEST_P(Privilege, CallerDoesNotChooseTheTapsName) {
    for (const char* argument : {"--ifname=eth9", "--tap=eth9", "--name=eth9", "--script=/bin/sh",
                                 "--helper=x", "--acl=/tmp/x", "--config=/tmp/x"}) {
        EXPECT_TRUE(failed(run_helper({"--br=br0", "--fd=27", argument}), "Usage: ")) << argument;
    }
}

}  // namespace
}  // namespace tapgate
