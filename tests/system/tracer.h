// SPDX-License-Identifier: GPL-2.0-or-later
//
// Follows a helper with ptrace from system call to system call, and can make calls fail.
//
// Root's ptrace keeps the helper's setuid bit and file capabilities, so what is seen is what
// happens on a host. Unlike `strace -e inject`, a failed call is not turned into call number -1 (a
// seccomp filter runs after the tracer and would kill the helper for that), but into close(-1),
// which every filter allows and which does nothing.

#pragma once

#include <sys/types.h>

#include <linux/netlink.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/system/testbed.h"

namespace tapgate {

struct TracedCall {
    pid_t pid = -1;
    // 0 is the helper; the processes that it starts follow in the order in which they begin. Only
    // run_traced_family() sees those.
    unsigned process = 0;
    // 1 for the first call after start-up, 0 before. Start-up is the work of the loader and libc
    // before main(), where nothing of ours could handle a failure; main() begins by asking who it
    // is. Each process has its own count; processes other than the helper count from their first
    // call on.
    unsigned index = 0;
    long number = -1;
    std::array<std::uint64_t, 6> args{};
};

struct TraceAction {
    int fail_with = 0;  // an errno: the call is not made, and fails with it
    bool kill = false;  // SIGKILL instead of the call, for this process only
    bool hold = false;  // from now on the process stands still, as after SIGSTOP
};

// Called at the beginning of each system call after exec.
using TraceObserver = std::function<TraceAction(const TracedCall&)>;

// Called at the end of each, with its result: -errno for a failure.
using ResultObserver = std::function<void(const TracedCall&, std::int64_t result)>;

bool can_trace();

HelperResult run_traced(const std::vector<std::string>& args, HelperOptions options,
                        const TraceObserver& observer, const ResultObserver& results = {});
// The same for the helper and whatever it starts. Only the observed process is stopped meanwhile.
HelperResult run_traced_family(const std::vector<std::string>& args, HelperOptions options,
                               const TraceObserver& observer, const ResultObserver& results = {});

// An observer that changes nothing.
TraceAction let_pass(const TracedCall& call);

std::string traced_string(pid_t pid, std::uint64_t address);

// The netlink messages that a sendmsg() or sendto() call sends, or that a recvmsg() or recvfrom()
// call with the result `size` has received: where each header is in the process, and what it
// contains. Empty for any other call.
struct TracedMessage {
    std::uint64_t address = 0;
    nlmsghdr header{};
    // that of an NLMSG_ERROR; 0 is an acknowledgement
    int error = 0;
};
bool sends_netlink(const TracedCall& call);
bool receives_netlink(const TracedCall& call);
std::vector<TracedMessage> messages_in(const TracedCall& call, std::int64_t size = 0);
// Gives it a type that does not exist, which the kernel refuses.
void make_unknown(const TracedCall& call, const TracedMessage& message);
// Turns it into a refusal.
void make_refusal(const TracedCall& call, const TracedMessage& message, int error);
// Changes what a recvfrom() call with the result `size` has received, before the process sees it.
// Nothing for any other call.
void change_answer(const TracedCall& call, std::int64_t size,
                   const std::function<void(std::string& answer)>& change);
// The SCM_RIGHTS fds in the message of a sendmsg() call; empty for any other call.
std::vector<int> fds_being_sent(const TracedCall& call);
std::string call_name(long number);
// Whether it is the one that makes a tap device, or attaches to one: ioctl(TUNSETIFF).
bool makes_tap(const TracedCall& call);

}  // namespace tapgate
