// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs when tapgate is built, and is no part of the helper: compiles one of the helper's system
// call filters with libseccomp, and prints it as the initializers of a sock_filter array. So the
// helper needs neither the library nor the time to compile a filter at each VM start.
//
// What is refused fails with EPERM instead of killing the process: a call that was forgotten here,
// or that a libc makes on some other kernel, then becomes an error line that somebody can report,
// and not a VM start that dies silently.

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "helper/syscall_filter.h"

namespace {

[[noreturn]] void die(const char* what, int error_number) {
    std::fprintf(stderr, "syscall_filter_generator: %s: %s\n", what, std::strerror(error_number));
    std::exit(1);
}

struct ReleaseContext {
    void operator()(void* context) const { seccomp_release(context); }
};

class Filter {
  public:
    // `otherwise` is the action for a call that no rule matches.
    explicit Filter(std::uint32_t otherwise) : context_(seccomp_init(otherwise)) {
        if (!context_)
            die("seccomp_init", ENOMEM);
        // A binary tree instead of a list: about 6 comparisons for each call instead of 30.
        if (const int error = seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
            error != 0)
            die("seccomp_attr_set", -error);
    }

    void allow(int call, const std::vector<scmp_arg_cmp>& when = {}) {
        add(SCMP_ACT_ALLOW, call, when);
    }
    void refuse(int call, const std::vector<scmp_arg_cmp>& when = {}) {
        add(SCMP_ACT_ERRNO(EPERM), call, when);
    }
    // Answers like a kernel that does not have the call, so that libc uses another.
    void hide(int call) { add(SCMP_ACT_ERRNO(ENOSYS), call, {}); }

    void print() const {
        std::FILE* file = std::tmpfile();
        if (file == nullptr)
            die("tmpfile", errno);
        if (const int error = seccomp_export_bpf(context_.get(), fileno(file)); error != 0)
            die("seccomp_export_bpf", -error);
        std::rewind(file);
        sock_filter instruction{};
        while (std::fread(&instruction, sizeof instruction, 1, file) == 1)
            std::printf("{0x%02x, %u, %u, 0x%08x},\n", instruction.code, instruction.jt,
                        instruction.jf, instruction.k);
        std::fclose(file);
    }

  private:
    void add(std::uint32_t action, int call, const std::vector<scmp_arg_cmp>& when) {
        const int error = seccomp_rule_add_array(context_.get(), action, call,
                                                 static_cast<unsigned>(when.size()), when.data());
        if (error != 0)
            die("seccomp_rule_add", -error);
    }

    std::unique_ptr<void, ReleaseContext> context_;
};

// For int arguments, such as the request of ioctl(): ignores the upper half of the register.
scmp_arg_cmp int_argument_is(unsigned argument, unsigned long value) {
    return {argument, SCMP_CMP_MASKED_EQ, 0xffffffffUL, value};
}

// What SyscallFilter::decide refuses; everything else is allowed. tapgate-lookup inherits it.
void refuse_what_deciding_never_needs(Filter& filter) {
    // Other uses of CAP_NET_ADMIN. Packet filters, IPsec, wireless and so on are configured by
    // netlink protocols other than NETLINK_ROUTE (which libc asks for addresses), and devices by
    // ioctls from 0x8900 on (linux/sockios.h). Each row below is a mask and a value, and covers up
    // to 64 of those; left out are the three that list a bridge's ports, and SIOCGIFINDEX.
    filter.refuse(SCMP_SYS(socket),
                  {int_argument_is(0, AF_NETLINK), {2, SCMP_CMP_NE, NETLINK_ROUTE, 0}});
    filter.refuse(SCMP_SYS(socket), {{0, SCMP_CMP_GT, AF_NETLINK, 0}});  // AF_PACKET, AF_ALG, ...
    filter.refuse(SCMP_SYS(socket), {int_argument_is(0, AF_KEY)});
    static_assert((SIOCGIFNAME & ~0xf) == 0x8910 && (SIOCETHTOOL & ~0xf) == 0x8940 &&
                  (SIOCDEVPRIVATE & ~0xf) == 0x89f0 && SIOCGIFINDEX == 0x8933);
    constexpr std::array<std::array<unsigned long, 2>, 11> rows = {{{0xfffffff0, 0x8900},
                                                                    {0xfffffff0, 0x8920},
                                                                    {0xfffffffe, 0x8930},
                                                                    {0xffffffff, 0x8932},
                                                                    {0xfffffffc, 0x8934},
                                                                    {0xfffffff8, 0x8938},
                                                                    {0xfffffff0, 0x8950},
                                                                    {0xffffffe0, 0x8960},
                                                                    {0xffffffc0, 0x8980},
                                                                    {0xffffffe0, 0x89c0},
                                                                    {0xfffffff0, 0x89e0}}};
    for (const auto& [mask, first] : rows)
        filter.refuse(SCMP_SYS(ioctl), {{1, SCMP_CMP_MASKED_EQ, mask, first}});
    filter.refuse(SCMP_SYS(bpf));

    // Namespaces, in which a process has every capability; except a user namespace together with a
    // network namespace, which contained taps need, and which any user can have anyway. clone3() is
    // hidden, since filters cannot see its flags.
    filter.refuse(SCMP_SYS(unshare));
    filter.refuse(SCMP_SYS(clone),
                  {{0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER | CLONE_NEWNET, CLONE_NEWUSER}});
    constexpr std::array<unsigned long, 5> others = {CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC,
                                                     CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (const unsigned long other : others)
        filter.refuse(SCMP_SYS(clone), {{0, SCMP_CMP_MASKED_EQ, other, other}});
    filter.hide(SCMP_SYS(clone3));

    // Interfaces that have often had kernel bugs, and that need no capability. (Mounts, modules and
    // the like need capabilities that are gone; each rule here costs time at every start.)
    filter.refuse(SCMP_SYS(io_uring_setup));
    filter.refuse(SCMP_SYS(keyctl));
    filter.refuse(SCMP_SYS(perf_event_open));
    filter.refuse(SCMP_SYS(ptrace));
    filter.refuse(SCMP_SYS(userfaultfd));
}

// What SyscallFilter::make_port allows; everything else is refused.
void allow_what_a_port_takes(Filter& filter) {
    // /dev/net/tun, the bridge's addr_assign_type and the port's ifindex; reports on stdout and the
    // error line on stderr.
    filter.allow(SCMP_SYS(openat));
    filter.allow(SCMP_SYS(read));
    filter.allow(SCMP_SYS(write));
    filter.allow(SCMP_SYS(close));

    // Memory, but never executable: no mprotect(), and no PROT_EXEC for mmap().
    filter.allow(SCMP_SYS(brk));
    filter.allow(SCMP_SYS(mmap), {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}});
    filter.allow(SCMP_SYS(munmap));
    filter.allow(SCMP_SYS(mremap));

    // Link messages, and the line to the system log. No other family, no raw or packet socket.
    filter.allow(SCMP_SYS(socket),
                 {int_argument_is(0, AF_NETLINK), int_argument_is(2, NETLINK_ROUTE)});
    filter.allow(SCMP_SYS(socket),
                 {int_argument_is(0, AF_UNIX), int_argument_is(1, SOCK_DGRAM | SOCK_CLOEXEC)});
    filter.allow(SCMP_SYS(sendmsg));   // requests to the kernel; the reply to QEMU
    filter.allow(SCMP_SYS(recvfrom));  // the kernel's answers
    filter.allow(SCMP_SYS(sendto));    // the log line, and how long it may take:
    filter.allow(SCMP_SYS(setsockopt),
                 {int_argument_is(1, SOL_SOCKET), int_argument_is(2, SO_SNDTIMEO)});
    filter.allow(SCMP_SYS(getpid));  // in the log line and the tap's name

    // The bridge's ports and the new one: ifindices, names, and whether each has a carrier.
    // (SIOCETHTOOL could also change a device's settings, but so could rtnetlink.)
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, SIOCDEVPRIVATE)});
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, SIOCGIFNAME)});
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, SIOCGIFINDEX)});
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, SIOCETHTOOL)});

    // To make a tap, to give it an owner, and to make a stale one transient. Never to make one
    // persistent, and no other ioctl.
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, TUNSETIFF)});
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, TUNSETOWNER)});
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, TUNSETIFINDEX)});
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, TUNSETPERSIST), int_argument_is(2, 0)});
    filter.allow(SCMP_SYS(getrandom));  // its MAC address; which ports to look at; malloc()

    // A contained tap's namespace, made by a child that is born in it.
    filter.allow(SCMP_SYS(clone), {{0, SCMP_CMP_EQ, tapgate::contained_clone_flags, 0}});
    filter.allow(SCMP_SYS(prctl),
                 {{0, SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0}, {1, SCMP_CMP_EQ, SIGKILL, 0}});
    filter.allow(SCMP_SYS(close_range), {{2, SCMP_CMP_EQ, CLOSE_RANGE_UNSHARE, 0}});
    filter.allow(SCMP_SYS(wait4));
    filter.allow(SCMP_SYS(ioctl), {int_argument_is(1, SIOCGSKNS)});
    filter.allow(SCMP_SYS(clock_nanosleep));  // waiting until a port that is going is gone

    // Giving up CAP_NET_ADMIN. No capability can be gained by capset(): it only takes away.
    filter.allow(SCMP_SYS(capset));

    // Throwing an exception takes a lock in libc, where libc is a shared library.
    filter.allow(SCMP_SYS(futex));

    // The end of the child, of the process, and the time limit.
    filter.allow(SCMP_SYS(exit));
    filter.allow(SCMP_SYS(exit_group));
    filter.allow(SCMP_SYS(rt_sigreturn));

#ifdef TAPGATE_SANITIZED
    // What the run-time libraries of ASan and UBSan do behind the program's back.
    for (const int call :
         {SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(sigaltstack), SCMP_SYS(gettid),
          SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(readlink),
          SCMP_SYS(readlinkat), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(lseek),
          SCMP_SYS(stat), SCMP_SYS(clock_gettime), SCMP_SYS(prctl), SCMP_SYS(getuid),
          SCMP_SYS(prlimit64), SCMP_SYS(process_vm_readv), SCMP_SYS(pipe), SCMP_SYS(tgkill)})
        filter.allow(call);
#endif
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view which = argc == 2 ? argv[1] : "";
    if (which == "decide") {
        Filter filter(SCMP_ACT_ALLOW);
        refuse_what_deciding_never_needs(filter);
        filter.print();
    } else if (which == "make_port") {
        Filter filter(SCMP_ACT_ERRNO(EPERM));
        allow_what_a_port_takes(filter);
        filter.print();
    } else {
        die("Usage: syscall_filter_generator decide|make_port", EINVAL);
    }
    return 0;
}
