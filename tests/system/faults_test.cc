// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every system call of the helper's fails in turn. Whatever fails: exit 1 with a line on stderr and
// no tap left, or the fd and exit 0; never a signal, never exit 0 without the fd, never a hang, and
// never an fd from a helper that had not got rid of its privilege.
//
// By default each call fails in the one way that is likeliest for it, with TAPGATE_LONG=1 in each
// of likely_errors.

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/system/testbed.h"
#include "tests/system/tracer.h"

namespace tapgate {
namespace {

const std::vector<int> likely_errors = {EPERM, ENOMEM, EINTR,  EAGAIN, ENOSPC, EMFILE,
                                        EBADF, EIO,    EINVAL, ENOSYS, EACCES};

// The errors that the default run injects.
int likeliest_error(long number) {
    switch (number) {
        case SYS_brk:
        case SYS_mmap:
        case SYS_munmap:
        case SYS_mprotect:
            return ENOMEM;
        case SYS_openat:
        case SYS_socket:
            return EMFILE;
        case SYS_read:
        case SYS_recvfrom:
        case SYS_recvmsg:
        case SYS_poll:
        case SYS_close:
            return EINTR;
        case SYS_write:
            return ENOSPC;
        case SYS_sendmsg:
        case SYS_sendto:
            return ENOBUFS;
        case SYS_futex:
            return EINVAL;
        default:
            return EPERM;
    }
}

// The errors that a call is made to fail with. pthread_once(), by which libgcc's unwinder sets
// itself up, wakes whoever waits for it; libc aborts at an error that FUTEX_WAKE does not have
// (futex(2)).
std::vector<int> errors_of(long number) {
    if (!long_run() || number == SYS_futex)
        return {likeliest_error(number)};
    return likely_errors;
}

// Calls by which the helper becomes less privileged. One that fails must end the run.
bool drops_privilege(const TracedCall& call) {
    switch (call.number) {
        case SYS_setuid:
        case SYS_setgid:
        case SYS_setresuid:
        case SYS_setresgid:
        case SYS_setgroups:
        case SYS_capset:
        case SYS_seccomp:
            return true;
        case SYS_prctl:
            return call.args[0] == PR_SET_NO_NEW_PRIVS || call.args[0] == PR_SET_DUMPABLE ||
                   call.args[0] == PR_SET_SECCOMP ||
                   (call.args[0] == PR_CAP_AMBIENT && call.args[1] != PR_CAP_AMBIENT_IS_SET) ||
                   call.args[0] == PR_SET_SECUREBITS;
        default:
            return false;
    }
}

struct Step {
    TracedCall call;
    bool succeeded = false;
};

// What every process that hands over an fd, or opens the policy, must have got rid of by then.
std::string privilege_left(const TracedCall& call) {
    std::istringstream lines(read_text("/proc/" + std::to_string(call.pid) + "/status"));
    const bool handover = !fds_being_sent(call).empty();
    std::string wrong;
    const auto must_be = [&](const std::string& line, const std::string& key,
                             const std::string& value) {
        if (line.starts_with(key + ":\t") && line != key + ":\t" + value)
            wrong += line + "; ";
    };
    for (std::string line; std::getline(lines, line);) {
        must_be(line, "Uid", "2001\t2001\t2001\t2001");
        must_be(line, "Gid", "2001\t2001\t2001\t2001");
        must_be(line, "CapEff", handover ? "0000000000000000" : "0000000000001000");
        must_be(line, "CapPrm", "0000000000001000");
        must_be(line, "CapInh", "0000000000000000");
        must_be(line, "CapAmb", "0000000000000000");
        must_be(line, "NoNewPrivs", "1");
        must_be(line, "Seccomp", "2");
    }
    return wrong;
}

class Faults : public BothInstalls {
  protected:
    void prepare() override {
        TAPGATE_REQUIRE(can_trace(), "ptrace for this machine");
        add_bridge("br0");
        add_bridge("br9");
        make_directory("/etc/qemu");
        write_file("/etc/qemu/more.conf", "allow br0\n");
        write_policy("deny br9\ninclude more.conf\n");
    }

    // A grant may change the bridge (it pins its MAC), and the next one has less to do: each run is
    // to make the same calls.
    static void renew_bridge() {
        ASSERT_TRUE(no_taps_left());
        remove_link("br0");
        add_bridge("br0");
    }

    static std::vector<Step> good_run(const std::vector<std::string>& args, int exit_status) {
        std::vector<Step> steps;
        renew_bridge();
        const HelperResult run = run_traced(
            args, {},
            [&](const TracedCall& call) {
                if (call.index > 0)
                    steps.push_back({call, false});
                return TraceAction{};
            },
            [&](const TracedCall& call, std::int64_t result) {
                if (call.index > 0)
                    steps.back().succeeded = result >= 0;
            });
        EXPECT_EQ(run.exit_status, exit_status) << describe(run);
        return steps;
    }

    // With `attaches`, success means an fd. Otherwise it means the exit status of a good run, and
    // no fd.
    static void fail_each_call(const std::vector<std::string>& args, std::size_t fds,
                               int good_status) {
        const std::vector<Step> steps = good_run(args, good_status);
        ASSERT_GT(steps.size(), 10U);
        unsigned runs = 0;
        unsigned survived = 0;
        for (const Step& step : steps) {
            // These calls do not return.
            if (step.call.number == SYS_exit_group || step.call.number == SYS_exit)
                continue;
            for (const int error : errors_of(step.call.number)) {
                ++runs;
                survived += fail_one_call(args, step, error, fds, good_status) ? 1U : 0U;
            }
        }
        std::cout << args.back() << ": " << steps.size() << " calls, " << runs << " faults, "
                  << survived << " of them overcome\n";
    }

    static bool fail_one_call(const std::vector<std::string>& args, const Step& step, int error,
                              std::size_t fds, int good_status) {
        std::string left;
        bool reached = false;
        if (fds > 0)
            renew_bridge();
        const HelperResult run = run_traced(args, {}, [&](const TracedCall& call) {
            const bool opens_policy =
                call.number == SYS_openat && traced_string(call.pid, call.args[1]) == policy_file;
            if ((fds > 0 && opens_policy) || !fds_being_sent(call).empty())
                left += privilege_left(call);
            if (call.index != step.call.index)
                return TraceAction{};
            reached = call.number == step.call.number;
            return TraceAction{error, false};
        });
        const std::string where =
            "call " + std::to_string(step.call.index) + ", " + call_name(step.call.number) + "(" +
            std::to_string(static_cast<long>(step.call.args[0])) + ", " +
            std::to_string(static_cast<long>(step.call.args[1])) + "), failing with " +
            strerrorname_np(error) + ": " + describe(run);
        EXPECT_TRUE(reached) << where;
        EXPECT_EQ(left, "") << where;
        if (drops_privilege(step.call) && step.succeeded) {
            EXPECT_TRUE(failed(run, "")) << where;
            return false;
        }
        if (fds > 0 && run.exit_status == 0) {
            EXPECT_TRUE(granted(run, fds)) << where;
            return true;
        }
        if (fds == 0 && run.exit_status == good_status && run.fds.empty() && run.data.empty()) {
            // The line may be missing only if writing it has failed.
            const bool wrote = step.call.number == SYS_write || step.call.number == SYS_writev;
            EXPECT_TRUE(wrote || !(run.out + run.err).empty()) << where;
            return true;
        }
        EXPECT_TRUE(failed(run, "")) << where;
        return false;
    }
};
TAPGATE_BOTH_INSTALLS(Faults);

TEST_P(Faults, OfAGrant) {
    fail_each_call({"--use-vnet", "--fd=27", "--br=br0"}, 1, 0);
}

TEST_P(Faults, OfAGrantWithEverything) {
    write_file("/etc/qemu/more.conf", "allow br0 contain\n");
    // With a log that is read, since a full one is a refusal.
    const UniqueFd log = open_log();
    std::atomic<bool> over = false;
    std::thread daemon([&] {
        // The tracer waits for SIGCHLD, which the kernel may give to any thread that takes it.
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        std::array<char, 4096> line{};
        while (!over)
            if (recv(log.get(), line.data(), line.size(), 0) < 0)
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
    fail_each_call(
        {"--use-vnet", "--fd=27", "--br=br0", "--mac=52:54:00:aa:bb:cc", "--vm=web1", "--queues=3"},
        3, 0);
    over = true;
    daemon.join();
}

TEST_P(Faults, OfARefusal) {
    fail_each_call({"--use-vnet", "--fd=27", "--br=br9"}, 0, 1);
}

}  // namespace
}  // namespace tapgate
