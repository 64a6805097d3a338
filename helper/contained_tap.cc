// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/contained_tap.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "common/fd_passing.h"
#include "helper/failure.h"
#include "helper/syscall_filter.h"
#include "helper/tap.h"

namespace tapgate {

namespace {

constexpr const char* what = "failed to contain the tap";

// A sysctl of the host's that can forbid users a namespace in which they are root.
struct Switch {
    const char* file;
    char forbidding;  // the first character of the file when it forbids that
    const char* way_out;
};
constexpr std::array<Switch, 2> switches = {
    {{"/proc/sys/kernel/unprivileged_userns_clone", '0', "kernel.unprivileged_userns_clone=1"},
     {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
      "kernel.apparmor_restrict_unprivileged_userns=0', or load the AppArmor profile of "
      "tapgate-helper, which has the rule `userns,"}}};

// Throws the Failure that says why there is no namespace, and what would allow one.
[[noreturn]] void fail_to_contain(int error_number) {
    const std::string text = std::string(what) + ": " + error_text(error_number);
    if (error_number == ENOSPC)
        throw Failure(text +
                      ": user.max_user_namespaces or user.max_net_namespaces allows a user "
                      "no more: raise it by sysctl(8), or say `plain': bridge.conf(5)");
    for (const Switch& one : switches) {
        const UniqueFd file(open(one.file, O_RDONLY | O_CLOEXEC));
        char first = 0;
        if (file && read(file.get(), &first, 1) == 1 && first == one.forbidding)
            throw Failure(text + ": this host forbids unprivileged user namespaces: `sysctl -w " +
                          one.way_out + "'; or say `plain' in the rule: bridge.conf(5)");
    }
    throw Failure(text + ": cannot fork into a user and network namespace with /proc/sys/net");
}

// What the child is to open, and how far it has come. The child shares this process's memory and
// descriptors, and its user may kill it between any two instructions, so it must neither allocate
// nor throw.
struct Inside {
    enum class Step { contain, taps, done };

    unsigned queues = 0;
    int links = -1;
    std::array<int, max_fds_in_message> taps{};
    Step step = Step::contain;
    int error = 0;  // errno of that step
};

// What is turned off in the namespace, before there is a link in it.
struct Setting {
    const char* file;
    char value;
};
constexpr std::array<Setting, 4> settings = {{
    // IPv6 would send packets on the tap and the inner end of its own accord, and with several
    // hundred taps its timers would keep the host's network lock busy.
    {"/proc/sys/net/ipv6/conf/default/disable_ipv6", '1'},
    // Where br_netfilter is loaded, it would inspect frames on the leaf bridge too and drop those
    // with malformed IP, even if the host has turned that off for its own bridge.
    {"/proc/sys/net/bridge/bridge-nf-call-iptables", '0'},
    {"/proc/sys/net/bridge/bridge-nf-call-ip6tables", '0'},
    {"/proc/sys/net/bridge/bridge-nf-call-arptables", '0'},
}};

// False, with errno, when the setting cannot be made. That a host lacks the file is fine (it has no
// such feature), unless all of /proc/sys/net is missing: a partial /proc (ProcSubset=pid, say) says
// nothing about features.
bool write_setting(const Setting& setting) {
    const UniqueFd file(open(setting.file, O_WRONLY | O_CLOEXEC));
    return file ? write(file.get(), &setting.value, 1) == 1
                : errno == ENOENT && UniqueFd(open("/proc/sys/net", O_PATH | O_CLOEXEC));
}

// All that the child does. It has every capability in the new namespace, and none outside of it.
// False, with errno, when a step fails.
bool open_inside(Inside& inside) {
    // The child must not outlive its parent, even if its user has stopped it.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return false;
    // This is the first step that takes a capability in the namespace. AppArmor may let a namespace
    // be made but grant no capability in it; that shows here.
    for (const Setting& setting : settings)
        if (!write_setting(setting))
            return false;
    inside.links = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (inside.links < 0)
        return false;
    inside.step = Inside::Step::taps;
    for (unsigned i = 0; i < inside.queues; i++) {
        inside.taps[i] = open(tun_device, O_RDWR | O_CLOEXEC);
        if (inside.taps[i] < 0)
            return false;
    }
    // In the instant when a process ends and has no memory any more, old kernels let its user take
    // its descriptors (pidfd_getfd(2)), and so enter the namespace before there is a port. So the
    // child gets a table of its own, which is empty. The helper does not go on without this.
    const bool is_apart = close_range(0, ~0U, CLOSE_RANGE_UNSHARE) == 0;
    inside.step = is_apart ? Inside::Step::done : Inside::Step::contain;
    return is_apart;
}

int child(void* argument) {
    auto& inside = *static_cast<Inside*>(argument);
    if (!open_inside(inside))
        inside.error = errno;
    return 0;  // clone() then ends the child
}

}  // namespace

void keep_ipv6_off(const std::string& name) {
    const std::string file = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
    if (!write_setting({file.c_str(), '1'}))
        fail_with_errno(std::string(what) + ": " + file);
}

ContainedTap make_namespace(unsigned queues) {
    // Static, so that nothing else ever lies where the child may write, however the wait below
    // ends.
    alignas(16) static std::array<char, 65536> stack;
    static Inside inside;
    inside = Inside{.queues = queues};
    const pid_t pid = clone(child, stack.data() + stack.size(), contained_clone_flags, &inside);
    if (pid < 0)
        fail_to_contain(errno);
    waitpid(pid, nullptr, 0);  // never EINTR: the only signal handler ends the process
    if (inside.step != Inside::Step::done && inside.error == 0)
        throw Failure(std::string(what) + ": the process that was to make it is gone");
    if (inside.step == Inside::Step::contain)
        fail_to_contain(inside.error);
    if (inside.step == Inside::Step::taps)
        fail_to_open_tun(inside.error);
    ContainedTap tap{.inside = LinkSocket(UniqueFd(inside.links)), .queues = {}};
    for (unsigned i = 0; i < queues; i++)
        tap.queues.emplace_back(inside.taps[i]);
    return tap;
}

}  // namespace tapgate
