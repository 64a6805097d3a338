// SPDX-License-Identifier: GPL-2.0-or-later
//
// user= and group=: by id, by the local files, and by a name service, which another process than
// the helper asks. That process has the caller's uid, and yet he can neither read it, nor steer it,
// nor silence it to his advantage.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>

#include <gmock/gmock.h>

#include "tests/system/hostile.h"
#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A user and a group that only the name service knows: see nss_module.cc. The user's own group is
// in /etc/group.
constexpr Account remote_account{"remote", 2101, 2101};
constexpr gid_t remote_students = 3101;

class Names : public BothInstalls {
  protected:
    void prepare() override {
        add_bridge("br0");
        TAPGATE_REQUIRE(install_lookup(), "tapgate-lookup beside the helper");
        TAPGATE_REQUIRE(install_nss_module(), "the name service module");
        find_names_in("files tapgatetest");
        write_file("/etc/group", read_text("/etc/group") + "remote:x:2101:\n");
        make_directory(path("nss"), 0777);
        name_service("ok");
    }

    // Sets the services by which users and groups are found, in their order.
    static void find_names_in(const std::string& services) {
        write_file("/etc/nsswitch.conf", "passwd: " + services + "\ngroup: " + services + "\n");
    }
    // By rename(), so that a module that waits for another word never reads an empty file.
    static void name_service(const std::string& mode) {
        write_file("/etc/tapgatetest.new", mode);
        std::filesystem::rename("/etc/tapgatetest.new", "/etc/tapgatetest");
    }
    static bool was_asked() { return unlink("/mnt/nss/asked") == 0; }
};
TAPGATE_BOTH_INSTALLS(Names);

// --- Who is who

TEST_P(Names, LocalUsersAndGroups) {
    // Names come from the local files, whatever the name service would say, and it is not asked.
    name_service("down");
    for (const char* user : {"alice", "2001", "bob,alice", "1,2001"}) {
        write_policy("allow br0 user=" + std::string(user) + "\n");
        EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account)))) << user;
    }
    for (const char* user : {"bob", "2002", "bob,2003"}) {
        write_policy("allow br0 user=" + std::string(user) + "\n");
        EXPECT_TRUE(failed(run_helper(usual_args, as(alice_account)), denied_by_acl)) << user;
    }
    for (const char* group : {"students", "3001", "bob,students"}) {
        write_policy("allow br0 group=" + std::string(group) + "\n");
        EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account, {students_gid})))) << group;
        EXPECT_TRUE(granted(run_helper(usual_args, as({"bob", 2002, students_gid})))) << "primary";
        // In /etc/group, but not in the groups that the process has.
        EXPECT_TRUE(failed(run_helper(usual_args, as(alice_account)), denied_by_acl)) << group;
    }
    write_policy("allow br0\ndeny br0 group=students\n");
    EXPECT_TRUE(failed(run_helper(usual_args, as(alice_account, {students_gid})), denied_by_acl));
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account))));
    EXPECT_FALSE(was_asked());
}

TEST_P(Names, UsersAndGroupsOfTheNameService) {
    write_policy("allow br0 user=remote\n");
    EXPECT_TRUE(granted(run_helper(usual_args, as(remote_account))));
    EXPECT_TRUE(was_asked());
    EXPECT_TRUE(failed(run_helper(usual_args, as(alice_account)), denied_by_acl));
    write_policy("allow br0 group=remotestudents\n");
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account, {remote_students}))));
    EXPECT_TRUE(failed(run_helper(usual_args, as(alice_account, {students_gid})), denied_by_acl));
    write_policy("allow all\ndeny br0 user=remote\n");
    EXPECT_TRUE(failed(run_helper(usual_args, as(remote_account)), denied_by_acl));
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account))));
    write_policy("allow all\ndeny br0 group=remotestudents\n");
    EXPECT_TRUE(
        failed(run_helper(usual_args, as(alice_account, {remote_students})), denied_by_acl));
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account, {students_gid}))));
}

TEST_P(Names, UnknownNamesMatchNobody) {
    write_policy("allow br0 user=nobody-knows group=them\nallow br0 user=alice,remote\n");
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account, {students_gid}))));
    EXPECT_TRUE(granted(run_helper(usual_args, as(remote_account))));
    EXPECT_TRUE(failed(run_helper(usual_args, as(bob_account)), denied_by_acl));
}

TEST_P(Names, AreAskedForOnlyWhenTheyMatter) {
    write_policy(
        "allow br0 user=alice\nallow br0 user=remote\nallow br1 user=remote\n"
        "deny br1 group=remotestudents\n");
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account))));
    EXPECT_FALSE(was_asked());
}

TEST_P(Names, ExplainAsksToo) {
    write_policy("allow br0 user=remote\n");
    const HelperResult run = ask_policy({"explain", "--br=br0"}, as(remote_account));
    EXPECT_EQ(run.exit_status, 0) << describe(run);
    EXPECT_THAT(run.out, HasSubstr("allowed for uid 2101"));
}

// --- No answer means no

TEST_P(Names, NoAnswerIsARefusal) {
    for (const char* mode : {"down", "silent"}) {
        name_service(mode);
        for (const char* policy :
             {"allow br0 user=remote\n", "allow br0\ndeny br0 user=remote\n"}) {
            write_policy(policy);
            EXPECT_TRUE(failed_saying(run_helper(usual_args, as(remote_account)),
                                      "failed to look up user `remote'",
                                      "the name service does not answer"))
                << mode << ' ' << policy;
        }
        write_policy("allow br0\ndeny br0 group=remotestudents\n");
        EXPECT_TRUE(failed_saying(run_helper(usual_args, as(alice_account, {remote_students})),
                                  "failed to look up group `remotestudents'", "getent group"));
    }
    // alice is in the local files, so she is not the user who cannot be looked up. But while the
    // service says that it is down, she is refused too.
    name_service("down");
    write_policy("allow br0\ndeny br0 user=remote\n");
    EXPECT_TRUE(
        failed(run_helper(usual_args, as(alice_account)), "failed to look up user `remote'"));
}

// nsswitch.conf with one more service behind the one that is down: what libc says then is "not
// found".
TEST_P(Names, NoAnswerOfOneOfSeveralIsARefusal) {
    name_service("down");
    find_names_in("tapgatetest files");
    write_policy("allow br0\ndeny br0 user=remote\n");
    EXPECT_TRUE(
        failed(run_helper(usual_args, as(remote_account)), "failed to look up user `remote'"));
    write_policy("allow br0\ndeny br0 group=remotestudents\n");
    EXPECT_TRUE(
        failed(run_helper(usual_args, as(alice_account, {remote_students})), "failed to look up"));
    // These are in the local files, so they are somebody else.
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account, {students_gid}))));
}

TEST_P(Names, NoProgramToAskIsARefusal) {
    unlink(lookup_path().c_str());
    write_policy("allow br0\ndeny br0 user=remote\n");
    EXPECT_TRUE(failed_saying(run_helper(usual_args), "failed to look up user `remote'",
                              lookup_path() + ": No such file or directory"));
}

// The program was installed with another mode than 0711, or on a file system without modes.
TEST_P(Names, ProgramThatItsCallerCanReadIsCopied) {
    name_service("ok");
    write_policy("allow br0\ndeny br0 user=remote\n");
    for (const mode_t mode : {0711U, 0755U, 0555U, 0777U}) {
        ASSERT_TRUE(install_lookup(mode));
        EXPECT_TRUE(granted(run_helper(usual_args))) << std::oct << mode;
        EXPECT_TRUE(failed(run_helper(usual_args, as(remote_account)), denied_by_acl))
            << std::oct << mode;
    }
}

TEST_P(Names, HangingServiceIsGivenUpAfterTenSeconds) {
    name_service("wait");
    write_policy("allow br0\ndeny br0 user=remote\n");
    const auto start = std::chrono::steady_clock::now();
    const HelperResult run = run_helper(usual_args);
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_TRUE(failed(run, "tapgate-helper: gave up after 10 seconds"));
    EXPECT_GE(took, std::chrono::seconds(8));
    EXPECT_LE(took, std::chrono::seconds(13));
}

// --- The process that asks

// The tapgate-lookup that `parent` has started.
std::optional<pid_t> find_lookup(pid_t parent) {
    const std::string child_of_parent = "\nPPid:\t" + std::to_string(parent) + "\n";
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        const std::string status = read_text(entry.path() / "status");
        // (A copy of the program has its descriptor as its name.)
        if (!status.starts_with("Name:\ttapgate-helper\n") &&
            status.find(child_of_parent) != std::string::npos) {
            return static_cast<pid_t>(std::stol(name));
        }
    }
    return std::nullopt;
}

// The process while it waits for the name service.
class Asking : public Names {
  protected:
    void prepare() override {
        Names::prepare();
        name_service("wait");
        write_policy("allow br0\ndeny br0 user=remote\n");
    }
    static pid_t wait_for_lookup(pid_t parent) {
        for (int i = 0; i < 500; ++i) {
            if (was_asked())
                return find_lookup(parent).value_or(-1);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return -1;
    }
};
TAPGATE_BOTH_INSTALLS(Asking);

enum Reach : unsigned {
    traced = 1,
    read_memory = 2,
    listed_fds = 4,
    opened_stdout = 8,
    took_fd = 16,
    wrote_memory = 32,
    read_environment = 64,
};

// What a process of the same user can get at.
int reach_of(pid_t pid) {
    unsigned reach = 0;
    const std::string directory = "/proc/" + std::to_string(pid);
    const UniqueFd memory(open((directory + "/mem").c_str(), O_RDWR | O_CLOEXEC));
    reach |= memory ? read_memory : 0U;
    const UniqueFd environ(open((directory + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
    reach |= environ ? read_environment : 0U;
    const UniqueFd list(open((directory + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    reach |= list ? listed_fds : 0U;
    const UniqueFd output(open((directory + "/fd/1").c_str(), O_WRONLY | O_CLOEXEC));
    reach |= output ? opened_stdout : 0U;
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    const UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), 1, 0)));
    reach |= taken ? took_fd : 0U;
    char byte = 0;
    const iovec local{&byte, 1};
    const iovec remote{reinterpret_cast<void*>(0x400000), 1};
    reach |=
        process_vm_writev(pid, &local, 1, &remote, 1, 0) >= 0 || errno != EPERM ? wrote_memory : 0U;
    if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0) {
        reach |= traced;
        ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
    }
    return static_cast<int>(reach);
}

TEST_P(Asking, IsOutOfItsCallersReach) {
    for (const mode_t mode : {0711U, 0755U}) {
        ASSERT_TRUE(install_lookup(mode));
        name_service("wait");
        was_asked();  // the last one, that is
        HelperProcess helper(usual_args, as(alice_account));
        const pid_t lookup = wait_for_lookup(helper.pid());
        ASSERT_GT(lookup, 0) << std::oct << mode;
        EXPECT_EQ(in_process_of(alice_account, [&] { return reach_of(lookup); }), 0)
            << std::oct << mode;
        // Not even by the helper's descriptors, which belong to root.
        EXPECT_EQ(in_process_of(alice_account, [&] { return reach_of(helper.pid()); }), 0);
        name_service("ok");
        EXPECT_TRUE(granted(helper.finish()));
    }
}

// fs.suid_dumpable=1 makes the kernel allow tracing all the same.
TEST_P(Asking, IsNotDoneWhereItsCallerMayTraceIt) {
    constexpr const char* setting = "/proc/sys/fs/suid_dumpable";
    write_file("/etc/setting", "1\n");
    ASSERT_EQ(mount("/etc/setting", setting, nullptr, MS_BIND, nullptr), 0);
    name_service("ok");
    was_asked();
    EXPECT_TRUE(failed_saying(run_helper(usual_args, as(alice_account)),
                              "failed to look up user `remote'", "fs.suid_dumpable=1"));
    EXPECT_FALSE(was_asked());
    write_file("/etc/setting", "2\n");
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account))));
    umount(setting);
    // In a service with ProcSubset=pid the setting cannot be read.
    was_asked();
    ASSERT_EQ(mount("none", "/proc/sys", "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE(failed_saying(run_helper(usual_args, as(alice_account)),
                              "failed to look up user `remote'", "fs.suid_dumpable=1, or unknown"));
    EXPECT_FALSE(was_asked());
    umount("/proc/sys");
}

// The same with a program that its caller can read: this shows that the test above would notice.
TEST_P(Asking, WouldBeWithinReachIfItCouldBeRead) {
    TAPGATE_REQUIRE(read_text("/proc/sys/kernel/yama/ptrace_scope").substr(0, 1) <= "0",
                    "kernel.yama.ptrace_scope=0, as without Yama");
    ASSERT_TRUE(install_lookup(0755));
    const pid_t child = fork();
    if (child == 0) {
        _exit(in_process_of(alice_account, [] {
            execl(lookup_path().c_str(), "tapgate-lookup", "user", "remote", nullptr);
            return 1;
        }));
    }
    const pid_t lookup = wait_for_lookup(child);
    EXPECT_GT(lookup, 0);
    const int reach = in_process_of(alice_account, [&] { return reach_of(lookup); });
    EXPECT_EQ(static_cast<unsigned>(reach) & traced, unsigned{traced});
    EXPECT_EQ(static_cast<unsigned>(reach) & read_memory, unsigned{read_memory});
    EXPECT_EQ(static_cast<unsigned>(reach) & listed_fds, unsigned{listed_fds});
    name_service("ok");
    waitpid(child, nullptr, 0);
}

TEST_P(Asking, HasNothingOfTheHelpersNorOfTheCallers) {
    HelperOptions options = as(alice_account, {students_gid});
    options.env = {"LD_PRELOAD=/mnt/nss/evil.so", "PATH=/mnt/nss", "SECRET=1"};
    options.before_exec = [] {
        dup2(0, 50);  // a stray one
        chdir("/mnt/nss");
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
    };
    HelperProcess helper(usual_args, options);
    const pid_t lookup = wait_for_lookup(helper.pid());
    ASSERT_GT(lookup, 0);
    const std::string directory = "/proc/" + std::to_string(lookup);
    EXPECT_EQ(read_text(directory + "/environ"), "");
    EXPECT_EQ(std::filesystem::read_symlink(directory + "/cwd"), "/");
    const std::string status = read_text(directory + "/status");
    for (const char* line : {"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
                             "CapEff:\t0000000000000000\n", "CapAmb:\t0000000000000000\n",
                             "NoNewPrivs:\t1\n", "Seccomp:\t2\n", "SigBlk:\t0000000000000000\n",
                             "Uid:\t2001\t2001\t2001\t2001\n", "Gid:\t2001\t2001\t2001\t2001\n"}) {
        EXPECT_THAT(status, HasSubstr(line));
    }
    std::vector<std::string> fds;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/fd")) {
        fds.push_back(entry.path().filename().string() + " " +
                      std::filesystem::read_symlink(entry.path()).string().substr(0, 9));
    }
    EXPECT_THAT(
        fds, testing::UnorderedElementsAre("0 /dev/null", StartsWith("1 socket:"), "2 /dev/null"));
    name_service("ok");
    EXPECT_TRUE(granted(helper.finish()));
}

// If it is killed, it has not said that the user is somebody else.
TEST_P(Asking, KilledIsARefusal) {
    for (const int signal : {SIGKILL, SIGTERM, SIGALRM}) {
        HelperProcess helper(usual_args, as(alice_account));
        const pid_t lookup = wait_for_lookup(helper.pid());
        ASSERT_GT(lookup, 0);
        EXPECT_EQ(in_process_of(alice_account, [&] { return kill(lookup, signal); }), 0);
        EXPECT_TRUE(failed(helper.finish(), "failed to look up user `remote'"));
    }
}

// Old kernels may let its caller take the socket of one that he has killed (look_up() in the helper
// says why). Here root takes it: what comes out of it then is no answer, also where the helper's
// caller ignores SIGCHLD, for which the kernel tells nobody how a child has ended.
TEST_P(Asking, SaidByAnotherItIsNoAnswer) {
    for (const std::string_view answer : {"none\n", "id 60999\n"}) {
        HelperOptions options = as(alice_account);
        options.before_exec = [] { std::signal(SIGCHLD, SIG_IGN); };
        HelperProcess helper(usual_args, options);
        const pid_t lookup = wait_for_lookup(helper.pid());
        ASSERT_GT(lookup, 0);
        const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, lookup, 0)));
        UniqueFd output(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), 1, 0)));
        ASSERT_TRUE(output);
        ASSERT_EQ(kill(lookup, SIGKILL), 0);
        ASSERT_EQ(write(output.get(), answer.data(), answer.size()),
                  static_cast<ssize_t>(answer.size()));
        output.reset();
        EXPECT_TRUE(failed(helper.finish(), "failed to look up user `remote'"));
    }
}

// --- Made to fail by its caller

// A caller who can read tapgate-lookup could get at its process. A failure to open it must not be
// taken for a program that he cannot read.
TEST_P(Names, WhatCannotBeOpenedIsNotWhatCannotBeRead) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    ASSERT_TRUE(install_lookup(0755));
    write_policy("allow br0 user=remote\n");
    EXPECT_TRUE(granted(run_helper(usual_args, as(remote_account))));
    for (const int error : {EMFILE, ENFILE, ENOMEM, EINTR}) {
        bool done = false;
        const HelperResult run =
            run_traced_family(usual_args, as(remote_account), [&](const TracedCall& call) {
                TraceAction action;
                if (!done && call.process == 1 && call_name(call.number) == "openat" &&
                    call.args[2] == std::uint64_t{O_RDONLY | O_CLOEXEC}) {
                    done = true;
                    action.fail_with = error;
                }
                return action;
            });
        EXPECT_TRUE(done);
        EXPECT_TRUE(failed(run, "failed to look up user `remote'")) << error;
    }
}

// A user by another spelling may be the one whom the service did not find in time.
TEST_P(Names, NobodyIsProofAgainstHimself) {
    for (const char* const name : {"ALICE", "alice@corp.example", "CORP\\alice"}) {
        write_policy(std::string("allow br0\ndeny br0 user=") + name + "\n");
        EXPECT_TRUE(failed(run_helper(usual_args, as(alice_account)), "failed to look up user `"))
            << name;
        EXPECT_TRUE(granted(run_helper(usual_args, as(remote_account)))) << name;
    }
}

// A second name of a user in the service: a rule is about the user's first name, and a rule with
// another one is refused for everybody.
TEST_P(Names, SecondNamesAreRefused) {
    for (const char* const who : {"user=r.mote", "group=r.students"})
        for (const char* const policy : {"allow br0 ", "allow br0\ndeny br0 "}) {
            write_policy(std::string(policy) + who + "\n");
            for (const Account& user : {remote_account, alice_account})
                EXPECT_TRUE(failed_saying(
                    run_helper(usual_args, as(user, {remote_students})), "failed to look up ",
                    "the name service does not answer, or by another name (try `getent "))
                    << policy << who;
        }
}

// A name whose id has another name in the local files: the user would be known by that one, if he
// kept the name service from finding him, such as by a limit of memory.
TEST_P(Names, NamesOfAnIdThatHasAnotherAreRefused) {
    write_file("/etc/passwd", read_text("/etc/passwd") + "twin:x:2101:2101::/:/bin/sh\n");
    write_file("/etc/group", read_text("/etc/group") + "twins:x:3101:\n");
    for (const char* const first : {"files tapgatetest", "tapgatetest files"}) {
        find_names_in(first);
        for (const char* const who : {"user=remote", "group=remotestudents"}) {
            write_policy(std::string("allow br0\ndeny br0 ") + who + "\n");
            for (const Account& user : {remote_account, alice_account})
                EXPECT_TRUE(failed_saying(run_helper(usual_args, as(user, {remote_students})),
                                          "failed to look up ", "or by another name"))
                    << first << ", " << who;
        }
    }
    write_policy("allow br0\ndeny br0 user=twin\n");
    EXPECT_TRUE(failed(run_helper(usual_args, as(remote_account)), denied_by_acl));
}

// A name or an id about which two services say different things.
TEST_P(Names, WhatTwoServicesKnowDifferentlyIsRefused) {
    write_file("/etc/nsswitch.conf",
               "group:\tfiles [ NOTFOUND=continue ] tapgatetest [UNAVAIL=continue]\ttapgateother\n"
               "passwd:files tapgatetest tapgateother nothere # ] tapgatetest\n");
    const auto run = [](const std::string& other, const char* who) {
        write_file("/etc/tapgateother", other);
        write_policy(std::string("allow br0\ndeny br0 ") + who + "\n");
        return run_helper(usual_args, as(alice_account));
    };
    for (const char* const same : {"remote 2101", "other 2102", "CORP\\remote 2101", ""})
        EXPECT_TRUE(granted(run(same, "user=remote"))) << same;
    for (const char* const different : {"remote 2102", "other 2101"})
        EXPECT_TRUE(failed(run(different, "user=remote"), "failed to look up user")) << different;
    EXPECT_TRUE(granted(run("remotestudents 3101", "group=remotestudents")));
    for (const char* const different : {"remotestudents 3102", "others 3101"})
        EXPECT_TRUE(failed(run(different, "group=remotestudents"), "failed to look up group"))
            << different;
    // A service that is not asked does not count.
    write_file("/etc/nsswitch.conf", "passwd: files tapgatetest # tapgateother\n");
    EXPECT_TRUE(granted(run("remote 2102", "user=remote")));
}

// A subordinate uid that has a name of its own, which is found, is no proof that its owner's is.
TEST_P(Names, OwnersOfSubordinateUidsAreFoundOrRefused) {
    write_file("/etc/passwd", read_text("/etc/passwd") + "ctr:x:165536:165536::/:/bin/sh\n");
    write_file("/etc/subuid", "remote:165536:65536\n");
    const Account ctr{"ctr", 165536, 2101};
    for (const char* const policy : {"allow br0\ndeny br0 user=remote\n", "allow br0\n"}) {
        write_policy(policy);
        name_service("ok");
        EXPECT_EQ(run_helper(usual_args, as(ctr)).exit_status, policy[10] == 'd' ? 1 : 0);
        name_service("silent");
        EXPECT_TRUE(failed(run_helper(usual_args, as(ctr)), "")) << policy;
    }
    // By the first answer, the uid is known to be a subordinate one; the deny is asked about
    // afterwards.
    write_policy("allow br0\ndeny br0 user=nobody-knows\n");
    name_service("ok");
    EXPECT_TRUE(failed_saying(run_helper(usual_args, as(ctr)), "failed to look up user",
                              "uid 165536 is a subordinate one"));
    EXPECT_TRUE(granted(run_helper(usual_args, as(alice_account))));
}

// Limits are inherited. Even if the name service has too little of something, a deny stays a deny.
TEST_P(Names, NoLimitTurnsADenyIntoNothing) {
    write_policy("allow br0\ndeny br0 user=remote\n");
    const auto try_limit = [](__rlimit_resource resource, rlim_t value) {
        HelperOptions options = as(remote_account);
        options.before_exec = [resource, value] {
            dup2(socket_number, 3);
            close(socket_number);
            const rlimit limit{value, value};
            setrlimit(resource, &limit);
        };
        const HelperResult run = run_helper({"--br=br0", "--fd=3"}, options);
        EXPECT_TRUE(run.exit_status != 0 && run.fds.empty())
            << "limit " << resource << " of " << value << ": " << describe(run);
        return run.err.starts_with(denied_by_acl);
    };
    int denied = 0;
    for (rlim_t n = 3; n <= 12; ++n)
        denied += try_limit(RLIMIT_NOFILE, n) ? 1 : 0;
    EXPECT_GT(denied, 0);
    denied = 0;
    const rlim_t step = long_run() ? 16 : 128;
    for (rlim_t kib = 1024; kib <= 12288; kib += step)
        denied += try_limit(RLIMIT_AS, kib << 10U) ? 1 : 0;
    EXPECT_GT(denied, 0);
    for (rlim_t kib = 0; kib <= 1024; kib += step / 8)
        try_limit(RLIMIT_DATA, kib << 10U);
    for (const rlim_t value : {0U, 1U, 4096U, 65536U, 1U << 20U}) {
        try_limit(RLIMIT_STACK, value);
        try_limit(RLIMIT_FSIZE, value);
        try_limit(RLIMIT_MEMLOCK, value);
        try_limit(RLIMIT_NPROC, value);
    }
}

// Limits can also be set from outside, at any moment, by a process with the same uid.
TEST_P(Names, NoLimitSetMeanwhileTurnsADenyIntoNothing) {
    write_policy("allow br0\ndeny br0 user=remote\n");
    std::minstd_rand random(std::random_device{}());
    int hits = 0;
    for (int round = 0; round < (long_run() ? 2000 : 100); ++round) {
        HelperProcess helper(usual_args, as(remote_account));
        hits += in_process_of(remote_account, [&] {
            std::optional<pid_t> lookup;
            for (int i = 0; i < 500 && !lookup; ++i)
                lookup = find_lookup(helper.pid());
            if (!lookup)
                return 0;
            usleep(static_cast<useconds_t>(random() % 800));
            kill(*lookup, SIGSTOP);
            const rlimit none{0, RLIM_INFINITY};
            rlimit before_files{};
            rlimit before_memory{};
            const bool hit = prlimit(*lookup, RLIMIT_NOFILE, nullptr, &before_files) == 0 &&
                             prlimit(*lookup, RLIMIT_AS, nullptr, &before_memory) == 0;
            const rlimit files{round % 2 == 0 ? 0 : before_files.rlim_cur, before_files.rlim_max};
            prlimit(*lookup, RLIMIT_NOFILE, &files, nullptr);
            if (round % 2 == 1)
                prlimit(*lookup, RLIMIT_AS, &none, nullptr);
            kill(*lookup, SIGCONT);
            usleep(static_cast<useconds_t>(random() % 300));
            prlimit(*lookup, RLIMIT_NOFILE, &before_files, nullptr);
            prlimit(*lookup, RLIMIT_AS, &before_memory, nullptr);
            return hit ? 1 : 0;
        });
        const HelperResult run = helper.finish();
        EXPECT_TRUE(run.exit_status != 0 && run.fds.empty()) << describe(run);
        random.discard(1);
    }
    EXPECT_GT(hits, 0);
}

}  // namespace
}  // namespace tapgate
