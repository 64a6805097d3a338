// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/tracer.h"

#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <linux/if_tun.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <map>
#include <stdexcept>
#include <utility>

namespace tapgate {
namespace {

using Clock = std::chrono::steady_clock;

bool read_memory(pid_t pid, std::uint64_t address, void* to, std::size_t size) {
    iovec local{to, size};
    iovec remote{reinterpret_cast<void*>(address), size};  // NOLINT(performance-no-int-to-ptr)
    return process_vm_readv(pid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

void write_memory(pid_t pid, std::uint64_t address, const void* from, std::size_t size) {
    iovec local{const_cast<void*>(from), size};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    iovec remote{reinterpret_cast<void*>(address), size};  // NOLINT(performance-no-int-to-ptr)
    if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(size))
        throw std::runtime_error("cannot write to the traced process");
}

// The buffers of a call that sends or receives.
std::vector<iovec> buffers_of(const TracedCall& call) {
    if (call.number == SYS_sendto || call.number == SYS_recvfrom) {
        return {{reinterpret_cast<void*>(call.args[1]), call.args[2]}};  // NOLINT
    }
    msghdr message{};
    std::vector<iovec> buffers;
    if (read_memory(call.pid, call.args[1], &message, sizeof message) &&
        message.msg_iovlen <= 1024) {
        buffers.resize(message.msg_iovlen);
        if (!read_memory(call.pid, reinterpret_cast<std::uint64_t>(message.msg_iov), buffers.data(),
                         buffers.size() * sizeof(iovec))) {
            buffers.clear();
        }
    }
    return buffers;
}

// Calls that only the dropping of privilege makes, which is the first thing that main() does.
bool asks_who_it_is(long number) {
    switch (number) {
        case SYS_getuid:
        case SYS_geteuid:
        case SYS_getresuid:
        case SYS_getgid:
        case SYS_getegid:
        case SYS_getresgid:
        case SYS_capget:
        case SYS_capset:
        case SYS_prctl:
        case SYS_setresuid:
        case SYS_setuid:
            return true;
        default:
            return false;
    }
}

struct Traced {
    unsigned process = 0;
    bool started = false;
    unsigned index = 0;
    TracedCall call;
    int failing = 0;
    bool restarts = false;  // the next entry is of the same call, once more
    user_regs_struct registers{};
};
using Family = std::map<pid_t, Traced>;

// The next ptrace stop or end of one of them; -1 when `deadline` passes first.
pid_t wait_until(const Family& family, int* status, Clock::time_point deadline) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    while (true) {
        for (const auto& [pid, traced] : family) {
            const pid_t done = waitpid(pid, status, WNOHANG | __WALL);
            if (done == pid)
                return pid;
            if (done < 0)
                throw std::runtime_error("the traced helper is gone");
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Clock::now()).count();
        if (left <= 0)
            return -1;
        timespec wait{};
        wait.tv_sec = static_cast<time_t>(left / 1'000'000'000);
        wait.tv_nsec = static_cast<long>(left % 1'000'000'000);
        sigtimedwait(&child, nullptr, &wait);
    }
}

// Blocks SIGCHLD so that sigtimedwait() can wait for it.
class SigchldBlocked {
  public:
    SigchldBlocked() {
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, &old_);
    }
    ~SigchldBlocked() { sigprocmask(SIG_SETMASK, &old_, nullptr); }
    SigchldBlocked(const SigchldBlocked&) = delete;
    SigchldBlocked(SigchldBlocked&&) = delete;
    SigchldBlocked& operator=(const SigchldBlocked&) = delete;
    SigchldBlocked& operator=(SigchldBlocked&&) = delete;

  private:
    sigset_t old_{};
};

#if defined(__x86_64__)
// At a call's entry: another call in its place. The registers as they were come back at its exit.
user_regs_struct replace_call(pid_t pid) {
    user_regs_struct before{};
    ptrace(PTRACE_GETREGS, pid, nullptr, &before);
    user_regs_struct changed = before;
    changed.orig_rax = SYS_close;
    changed.rdi = static_cast<unsigned long long>(-1LL);
    ptrace(PTRACE_SETREGS, pid, nullptr, &changed);
    return before;
}

void finish_failed_call(pid_t pid, const user_regs_struct& before, int error) {
    user_regs_struct now{};
    ptrace(PTRACE_GETREGS, pid, nullptr, &now);
    now.rdi = before.rdi;
    now.rax = static_cast<unsigned long long>(-static_cast<long long>(error));
    ptrace(PTRACE_SETREGS, pid, nullptr, &now);
}
#else
user_regs_struct replace_call(pid_t) {
    return {};
}
void finish_failed_call(pid_t, const user_regs_struct&, int) {}
#endif

// By these results the kernel notes that a signal without a handler (a child's end) has interrupted
// a call, which it will make again: ERESTARTSYS and others in include/linux/errno.h.
bool is_restart(std::int64_t result) {
    return result == -512 || result == -513 || result == -514 || result == -516;
}

// At a call's entry or exit: tells who watches, and does what that says. False: it is not to go on.
bool at_call(pid_t pid, Traced& traced, const TraceObserver& observer,
             const ResultObserver& results) {
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && traced.failing != 0) {
        finish_failed_call(pid, traced.registers, traced.failing);
        traced.failing = 0;
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && is_restart(info.exit.rval)) {
        traced.restarts = true;
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && results) {
        results(traced.call, info.exit.rval);
    } else if (info.op == PTRACE_SYSCALL_INFO_ENTRY && std::exchange(traced.restarts, false)) {
        return true;
    } else if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        TracedCall& call = traced.call;
        call = {};
        call.pid = pid;
        call.process = traced.process;
        call.number = static_cast<long>(info.entry.nr);
        if (traced.index > 0 || traced.process > 0 || asks_who_it_is(call.number))
            call.index = ++traced.index;
        for (std::size_t i = 0; i < call.args.size(); ++i)
            call.args[i] = info.entry.args[i];
        const TraceAction action = observer(call);
        if (action.kill) {
            ::kill(pid, SIGKILL);
        } else if (action.fail_with != 0) {
            traced.failing = action.fail_with;
            traced.registers = replace_call(pid);
        }
        return !action.hold;
    }
    return true;
}

HelperResult trace(const std::vector<std::string>& args, HelperOptions options, long trace_options,
                   const TraceObserver& observer, const ResultObserver& results) {
    options.traced = true;
    const SigchldBlocked blocked;
    const auto deadline = Clock::now() + options.timeout;
    HelperProcess process(args, options);
    const pid_t helper = process.pid();
    Family family;
    family[helper];
    unsigned processes = 1;
    int helpers_end = 0;
    bool timed_out = false;
    while (!family.empty()) {
        int status = 0;
        const pid_t pid =
            wait_until(family, &status, timed_out ? Clock::time_point::max() : deadline);
        if (pid < 0) {
            timed_out = true;
            process.kill(SIGKILL);
            for (const auto& [other, traced] : family)
                ::kill(other, SIGKILL);
            continue;
        }
        if (!WIFSTOPPED(status)) {
            if (pid == helper)
                helpers_end = status;
            family.erase(pid);
            continue;
        }
        Traced& traced = family[pid];
        int deliver = 0;
        if (!traced.started) {
            traced.started = true;  // the SIGTRAP after exec, or a new process's SIGSTOP
            if (pid == helper) {
                ptrace(PTRACE_SETOPTIONS, pid, nullptr,
                       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | trace_options);
            }
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (!at_call(pid, traced, observer, results))
                continue;
        } else if (status >> 16 != 0) {
            unsigned long begun = 0;
            if (status >> 16 != PTRACE_EVENT_EXEC &&
                ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &begun) == 0) {
                family[static_cast<pid_t>(begun)].process = processes++;
            }
        } else {
            deliver = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, pid, nullptr, deliver);
    }
    HelperResult result = process.collect(helpers_end);
    result.timed_out = timed_out;
    return result;
}

}  // namespace

bool can_trace() {
#if defined(__x86_64__)
    return true;
#else
    return false;
#endif
}

HelperResult run_traced(const std::vector<std::string>& args, HelperOptions options,
                        const TraceObserver& observer, const ResultObserver& results) {
    return trace(args, std::move(options), 0, observer, results);
}

HelperResult run_traced_family(const std::vector<std::string>& args, HelperOptions options,
                               const TraceObserver& observer, const ResultObserver& results) {
    // With these, exec is an event of its own and no SIGTRAP.
    constexpr long family =
        PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    return trace(args, std::move(options), family, observer, results);
}

std::string traced_string(pid_t pid, std::uint64_t address) {
    std::string text;
    for (char c = 0; text.size() < 4096 && read_memory(pid, address, &c, 1) && c != 0; ++address)
        text.push_back(c);
    return text;
}

bool sends_netlink(const TracedCall& call) {
    return (call.number == SYS_sendmsg || call.number == SYS_sendto) && !messages_in(call).empty();
}

bool receives_netlink(const TracedCall& call) {
    return call.number == SYS_recvmsg || call.number == SYS_recvfrom;
}

std::vector<TracedMessage> messages_in(const TracedCall& call, std::int64_t size) {
    const bool received = receives_netlink(call);
    std::vector<TracedMessage> messages;
    if ((received && size <= 0) ||
        (!received && call.number != SYS_sendmsg && call.number != SYS_sendto)) {
        return messages;
    }
    for (const iovec& buffer : buffers_of(call)) {
        const auto start = reinterpret_cast<std::uint64_t>(buffer.iov_base);
        const std::size_t length =
            received ? std::min(buffer.iov_len, static_cast<std::size_t>(size)) : buffer.iov_len;
        for (std::size_t at = 0; at + sizeof(nlmsghdr) <= length;) {
            TracedMessage message;
            message.address = start + at;
            // This ends at data that is no netlink message: text, a zero byte.
            if (!read_memory(call.pid, message.address, &message.header, sizeof(nlmsghdr)) ||
                message.header.nlmsg_len < sizeof(nlmsghdr) ||
                message.header.nlmsg_len > length - at) {
                return messages;
            }
            if (message.header.nlmsg_type == NLMSG_ERROR &&
                !read_memory(call.pid, message.address + sizeof(nlmsghdr), &message.error,
                             sizeof message.error)) {
                return messages;
            }
            messages.push_back(message);
            at += NLMSG_ALIGN(message.header.nlmsg_len);
        }
    }
    return messages;
}

void make_unknown(const TracedCall& call, const TracedMessage& message) {
    nlmsghdr header = message.header;
    header.nlmsg_type = 0x7ff0;
    write_memory(call.pid, message.address, &header, sizeof header);
}

void make_refusal(const TracedCall& call, const TracedMessage& message, int error) {
    const int answer = -error;
    write_memory(call.pid, message.address + sizeof(nlmsghdr), &answer, sizeof answer);
}

std::vector<int> fds_being_sent(const TracedCall& call) {
    std::vector<int> fds;
    msghdr message{};
    if (call.number != SYS_sendmsg ||
        !read_memory(call.pid, call.args[1], &message, sizeof message) ||
        message.msg_controllen == 0 || message.msg_controllen > 4096) {
        return fds;
    }
    alignas(cmsghdr) std::array<char, 4096> control{};
    if (!read_memory(call.pid, reinterpret_cast<std::uint64_t>(message.msg_control), control.data(),
                     message.msg_controllen)) {
        return fds;
    }
    message.msg_control = control.data();
    const cmsghdr* c = CMSG_FIRSTHDR(&message);
    if (c == nullptr || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return fds;
    fds.resize((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(fds.data(), CMSG_DATA(c), fds.size() * sizeof(int));
    return fds;
}

void change_answer(const TracedCall& call, std::int64_t size,
                   const std::function<void(std::string& answer)>& change) {
    if (call.number != SYS_recvfrom || size <= 0)
        return;
    std::string answer(static_cast<std::size_t>(size), '\0');
    if (!read_memory(call.pid, call.args[1], answer.data(), answer.size()))
        throw std::runtime_error("cannot read the traced process");
    change(answer);
    write_memory(call.pid, call.args[1], answer.data(), answer.size());
}

TraceAction let_pass(const TracedCall&) {
    return {};
}

bool makes_tap(const TracedCall& call) {
    return call.number == SYS_ioctl && call.args[1] == TUNSETIFF;
}

std::string call_name(long number) {
    static const std::map<long, const char*> names = {
        {SYS_read, "read"},
        {SYS_write, "write"},
        {SYS_writev, "writev"},
        {SYS_close, "close"},
        {SYS_openat, "openat"},
        {SYS_newfstatat, "newfstatat"},
        {SYS_fcntl, "fcntl"},
        {SYS_ioctl, "ioctl"},
        {SYS_mmap, "mmap"},
        {SYS_munmap, "munmap"},
        {SYS_mprotect, "mprotect"},
        {SYS_brk, "brk"},
        {SYS_futex, "futex"},
        {SYS_getrandom, "getrandom"},
        {SYS_socket, "socket"},
        {SYS_bind, "bind"},
        {SYS_connect, "connect"},
        {SYS_sendto, "sendto"},
        {SYS_sendmsg, "sendmsg"},
        {SYS_recvfrom, "recvfrom"},
        {SYS_recvmsg, "recvmsg"},
        {SYS_getsockopt, "getsockopt"},
        {SYS_setsockopt, "setsockopt"},
        {SYS_getsockname, "getsockname"},
        {SYS_capget, "capget"},
        {SYS_capset, "capset"},
        {SYS_prctl, "prctl"},
        {SYS_seccomp, "seccomp"},
        {SYS_setuid, "setuid"},
        {SYS_setgid, "setgid"},
        {SYS_setresuid, "setresuid"},
        {SYS_setresgid, "setresgid"},
        {SYS_setgroups, "setgroups"},
        {SYS_setfsuid, "setfsuid"},
        {SYS_setfsgid, "setfsgid"},
        {SYS_getuid, "getuid"},
        {SYS_geteuid, "geteuid"},
        {SYS_getgid, "getgid"},
        {SYS_getegid, "getegid"},
        {SYS_getresuid, "getresuid"},
        {SYS_getresgid, "getresgid"},
        {SYS_getgroups, "getgroups"},
        {SYS_close_range, "close_range"},
        {SYS_rt_sigaction, "rt_sigaction"},
        {SYS_rt_sigprocmask, "rt_sigprocmask"},
        {SYS_setitimer, "setitimer"},
        {SYS_prlimit64, "prlimit64"},
        {SYS_getpid, "getpid"},
        {SYS_gettid, "gettid"},
        {SYS_exit_group, "exit_group"},
#ifdef SYS_alarm
        {SYS_alarm, "alarm"},
#endif
        {SYS_umask, "umask"},
    };
    const auto found = names.find(number);
    return found == names.end() ? "call " + std::to_string(number) : found->second;
}

}  // namespace tapgate
