// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a hostile caller can bring along besides arguments: closed or strange descriptors, signals,
// limits, directories, an environment. The helper does the same as without, or it fails with a line
// and leaves nothing.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

using testing::IsEmpty;

class Caller : public Testbed {
  protected:
    void prepare() override { allow_br0(); }
};

TEST_F(Caller, ClosedStdio) {
    TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
    for (unsigned closed = 1; closed < 8; ++closed) {
        HelperOptions options;
        options.before_exec = [closed] {
            for (int fd = 0; fd < 3; ++fd) {
                if ((closed & (1U << static_cast<unsigned>(fd))) != 0)
                    close(fd);
            }
        };
        int tap = -1;
        HelperResult run = run_traced(usual_args, options, [&](const TracedCall& call) {
            if (makes_tap(call))
                tap = static_cast<int>(call.args[0]);
            return TraceAction{};
        });
        EXPECT_TRUE(granted(run)) << "closed: " << closed;
        EXPECT_GT(tap, 2) << "closed: " << closed;
        run.fds.clear();
        EXPECT_TRUE(no_taps_left());

        run = run_helper({"--br=none", "--fd=27"}, options);
        EXPECT_EQ(run.exit_status, 1) << describe(run);
        EXPECT_EQ(run.data, "") << "text landed in the socket";
        EXPECT_EQ(run.err.empty(), (closed & 4U) != 0) << describe(run);
    }
}

// The socket itself as stderr, stdout or stdin: no text may be taken for a reply.
TEST_F(Caller, SocketAsStdio) {
    for (int fd = 0; fd < 3; ++fd) {
        HelperOptions options;
        options.before_exec = [fd] { dup2(socket_number, fd); };
        const HelperResult run = run_helper({"--br=none", "--fd=" + std::to_string(fd)}, options);
        EXPECT_EQ(run.exit_status, 1) << describe(run);
        EXPECT_THAT(run.fds, IsEmpty());
    }
}

TEST_F(Caller, FullStderrDoesNotHangOrGrant) {
    HelperOptions options;
    options.before_exec = [] {
        const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        dup2(full, 2);
    };
    const HelperResult run = run_helper({"--br=none", "--fd=27"}, options);
    EXPECT_EQ(run.exit_status, 1) << describe(run);
    EXPECT_TRUE(no_taps_left());
}

TEST_F(Caller, AllSignalsBlocked) {
    HelperOptions options;
    options.before_exec = [] {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
    };
    EXPECT_TRUE(granted(run_helper(usual_args, options)));
}

TEST_F(Caller, SignalsIgnored) {
    HelperOptions options;
    options.before_exec = [] {
        for (const int signal : {SIGALRM, SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGSYS, SIGPIPE})
            std::signal(signal, SIG_IGN);
    };
    EXPECT_TRUE(granted(run_helper(usual_args, options)));
}

TEST_F(Caller, PendingAlarmOfTheCallers) {
    // alarm() survives exec. A caller's own must not cut the helper short.
    HelperOptions options;
    options.before_exec = [] {
        sigset_t alarm_only;
        sigemptyset(&alarm_only);
        sigaddset(&alarm_only, SIGALRM);
        sigprocmask(SIG_BLOCK, &alarm_only, nullptr);
        raise(SIGALRM);
    };
    const HelperResult run = run_helper(usual_args, options);
    // Pending since before exec: dying of it with a line is fine, dying of the signal is not.
    if (run.exit_status != 0) {
        EXPECT_TRUE(failed(run, "")) << describe(run);
    } else {
        EXPECT_TRUE(granted(run));
    }
}

// Under some limit: it succeeds, or fails with a line and without a tap. With too little address
// space not even the loader can start, and what it says is up to it.
testing::AssertionResult ended_cleanly(const HelperResult& run) {
    if (run.exit_status == 0)
        return granted(run);
    // By the loader, or by libc before main().
    if (run.exit_status == 127 && !run.err.empty() && run.fds.empty())
        return testing::AssertionSuccess();
    return failed(run, "");
}

HelperOptions limited(int resource, rlim_t value) {
    HelperOptions options;
    options.before_exec = [resource, value] {
        const rlimit limit{value, value};
        setrlimit(static_cast<__rlimit_resource>(resource), &limit);
    };
    return options;
}

TEST_F(Caller, FewFileDescriptors) {
    write_policy("allow br0 contain\n");
    for (rlim_t n = 4; n <= 16; ++n) {
        HelperResult run = run_helper(usual_args, limited(RLIMIT_NOFILE, n));
        EXPECT_TRUE(ended_cleanly(run)) << "RLIMIT_NOFILE=" << n;
        run.fds.clear();
        run = run_helper({"--br=br0", "--fd=27", "--queues=4"}, limited(RLIMIT_NOFILE, n));
        EXPECT_TRUE(run.exit_status == 0 ? granted(run, 4) : ended_cleanly(run))
            << "RLIMIT_NOFILE=" << n;
    }
}

TEST_F(Caller, NoFileSizeNoCoreNoProcessesNoLockedMemory) {
    EXPECT_TRUE(granted(run_helper(usual_args, limited(RLIMIT_FSIZE, 0))));
    EXPECT_TRUE(granted(run_helper(usual_args, limited(RLIMIT_CORE, 0))));
    EXPECT_TRUE(granted(run_helper(usual_args, limited(RLIMIT_NPROC, 0))));
    EXPECT_TRUE(granted(run_helper(usual_args, limited(RLIMIT_MEMLOCK, 0))));
}

// stderr is a file, which may not grow any more: SIGXFSZ must not kill the helper.
TEST_F(Caller, FileSizeLimitWithStderrInAFile) {
    HelperOptions options = limited(RLIMIT_FSIZE, 0);
    write_file(path("log"), "", 0666);
    const auto limit = options.before_exec;
    options.before_exec = [limit] {
        dup2(open("/mnt/log", O_WRONLY | O_CLOEXEC), 2);
        limit();
    };
    const HelperResult run = run_helper({"--br=none", "--fd=27"}, options);
    EXPECT_EQ(run.exit_status, 1) << describe(run);
}

TEST_F(Caller, LittleAddressSpace) {
    for (rlim_t kib = 1024; kib <= 32768; kib += long_run() ? 64 : 512) {
        const HelperResult run = run_helper(usual_args, limited(RLIMIT_AS, kib << 10U));
        // The kernel kills a program that it cannot map, before its first instruction.
        if (run.signal == SIGKILL || run.signal == SIGSEGV) {
            EXPECT_LT(kib, 4096U) << describe(run);
            continue;
        }
        EXPECT_TRUE(ended_cleanly(run)) << "RLIMIT_AS=" << kib << " KiB";
    }
}

TEST_F(Caller, LittleStack) {
    for (const rlim_t kib : {64U, 128U, 256U}) {
        EXPECT_TRUE(ended_cleanly(run_helper(usual_args, limited(RLIMIT_STACK, kib << 10U))))
            << "RLIMIT_STACK=" << kib << " KiB";
    }
}

TEST_F(Caller, ManyStrayFds) {
    HelperOptions options;
    options.before_exec = [] {
        const rlimit limit{4096, 4096};
        setrlimit(RLIMIT_NOFILE, &limit);
        for (int i = 0; i < 4000; ++i) {
            if (dup(0) < 0)
                break;
        }
    };
    const HelperResult run = run_helper(usual_args, options);
    EXPECT_TRUE(granted(run));
}

TEST_F(Caller, FdOfAnyNumber) {
    for (const int number : {3, 4, 5, 6, 7, 8, 9, 10, 63, 64, 200, 1023}) {
        HelperOptions options;
        options.before_exec = [number] {
            dup2(socket_number, number);
            if (number != socket_number)
                close(socket_number);
        };
        EXPECT_TRUE(granted(
            run_helper({"--use-vnet", "--br=br0", "--fd=" + std::to_string(number)}, options)))
            << number;
    }
}

TEST_F(Caller, DirectoryThatTheCallerCannotEnter) {
    make_directory(path("closed"), 0700);
    HelperOptions options;
    // Entered while it was still open to alice.
    chmod(path("closed").c_str(), 0755);
    options.before_exec = [] {
        if (chdir("/mnt/closed") != 0)
            _exit(125);
    };
    EXPECT_TRUE(granted(run_helper(usual_args, options)));
}

TEST_F(Caller, UmaskOfAnyKind) {
    for (const mode_t mask : {0U, 0777U}) {
        HelperOptions options;
        options.before_exec = [mask] { umask(mask); };
        EXPECT_TRUE(granted(run_helper(usual_args, options)));
    }
}

TEST_F(Caller, NonblockingSocket) {
    HelperOptions options;
    options.before_exec = [] { fcntl(socket_number, F_SETFL, O_NONBLOCK); };
    EXPECT_TRUE(granted(run_helper(usual_args, options)));
}

// Variables that change what libraries, the loader and libc do, where they believe them.
const std::vector<std::string> hostile_environment = {
    "NLDBG=9",
    "NLCB=debug",
    "NLCB=verbose",
    "LD_PRELOAD=/mnt/evil/libevil.so",
    "LD_LIBRARY_PATH=/mnt/evil",
    "LD_AUDIT=/mnt/evil/libevil.so",
    "LD_DEBUG=all",
    "LD_DEBUG_OUTPUT=/mnt/evil/out",
    "LD_PROFILE=libc.so.6",
    "LD_BIND_NOW=1",
    "LD_SHOW_AUXV=1",
    "LD_TRACE_LOADED_OBJECTS=1",
    "TZ=:/mnt/evil/zone",
    "TZDIR=/mnt/evil",
    "LOCPATH=/mnt/evil",
    "LANGUAGE=de",
    "LC_ALL=de_DE.UTF-8",
    "NLSPATH=/mnt/evil/%N",
    "GCONV_PATH=/mnt/evil",
    "CHARSET=EVIL",
    "GETCONF_DIR=/mnt/evil",
    "MALLOC_TRACE=/mnt/evil/m",
    "MALLOC_CHECK_=3",
    "MALLOC_PERTURB_=165",
    "GLIBC_TUNABLES=glibc.malloc.check=3",
    "GLIBC_TUNABLES=glibc.malloc.mxfast=glibc.malloc.mxfast=A",
    "HOSTALIASES=/mnt/evil/h",
    "RES_OPTIONS=debug",
    "TMPDIR=/mnt/evil",
    "HOME=/mnt/evil",
    "POSIXLY_CORRECT=1",
    "=",
    "x",
    "",
    "PATH="};

TEST_F(Caller, EnvironmentChangesNothing) {
    // Files of the user's, for a loader or libc that looks where the variables say.
    make_directory(path("evil"), 0777, alice_account.uid, alice_account.gid);
    write_file(path("evil/libevil.so"), "not a library", 0755, alice_account.uid,
               alice_account.gid);
    write_file(path("evil/zone"), "TZif not really", 0644, alice_account.uid, alice_account.gid);
    write_file(path("evil/gconv-modules"), "module X// Y// evil 1\n", 0644, alice_account.uid,
               alice_account.gid);

    const std::vector<std::vector<std::string>> cases = {
        usual_args, {"--br=none", "--fd=27"}, {"--nonsense"}, {"--br=br0", "--fd=28"}};
    const std::vector<std::string> base = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    for (const auto& args : cases) {
        HelperOptions options;
        options.env = base;
        const HelperResult expected = run_helper(args, options);
        std::vector<std::vector<std::string>> environments = {{}, hostile_environment};
        for (const std::string& variable : hostile_environment)
            environments.push_back({variable});
        environments.push_back({"BIG=" + std::string(100000, 'x')});
        for (const auto& env : environments) {
            options.env = env;
            const HelperResult run = run_helper(args, options);
            const std::string which = env.empty() ? "(empty)" : env[0].substr(0, 80);
            EXPECT_EQ(run.exit_status, expected.exit_status) << which << ": " << describe(run);
            EXPECT_EQ(run.out, expected.out) << which;
            EXPECT_EQ(run.err, expected.err) << which;
            EXPECT_EQ(run.data, expected.data) << which;
            EXPECT_EQ(run.fds.size(), expected.fds.size()) << which;
        }
    }
    EXPECT_NE(access("/mnt/evil/out", F_OK), 0);
}

}  // namespace
}  // namespace tapgate
