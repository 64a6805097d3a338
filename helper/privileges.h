// SPDX-License-Identifier: GPL-2.0-or-later
//
// How privileges are dropped, in the order of execution.
//
// 1. become_caller() is the first statement of run(). It finds out, once, who the caller is and
//    whether the process has its privilege (from a setuid-root file, a file capability or a root
//    caller), and brings the process into the only state in which the rest of the program runs:
//
//    - The caller's real uid and gid are the real, effective and saved ids. The supplementary
//      groups stay the caller's, so that a 0640 root:group policy file grants its group.
//    - CAP_NET_ADMIN alone is permitted and effective; nothing is inheritable or ambient. It is
//      needed to make a device (TUNSETIFF, tun_set_iff() in the kernel's drivers/net/tun.c), to
//      make it a port, and to give that a filter (RTM_NEWLINK, RTM_NEWTFILTER; rtnetlink_rcv_msg()
//      in net/core/rtnetlink.c).
//    - no-new-privs is on: no exec can gain anything, whatever the bounding set holds. The process
//      is not dumpable (no ptrace, no core file, /proc owned by root), so that the caller, who has
//      the same uid from now on, cannot get at the capability.
//
//    It then tries to get root back, and fails unless the kernel refuses.
// 2. install_syscall_filter() (syscall_filter.h) leaves only the system calls that the rest needs.
// 3. A contained tap is opened by a child that is born in a namespace of its own and has no
//    privilege outside it (contained_tap.h).
// 4. CAP_NET_ADMIN is out of effect while the descriptors are sent. It comes back only if the tap
//    did not reach its user and the port has to be deleted. Otherwise the process ends without it.
#pragma once

#include <sys/types.h>

#include <string>

namespace tapgate {

/// Who started the helper. Captured once, before anything else; nothing asks the kernel again.
struct Caller {
    uid_t uid;
    gid_t gid;
    /// Whether the process had CAP_NET_ADMIN. Without it everything but making a tap still works.
    bool privileged;
    /// Whether it had not because the caller has set no-new-privs, which disarms setuid and file
    /// capabilities.
    bool no_new_privs;
};

/// Drops every privilege but CAP_NET_ADMIN, as described above, and proves it.
/// Should: leave the caller's ids and one capability. Must not: read any input, touch the file
/// system or the network. Throws Failure ("failed to drop privileges") when any step of it fails.
Caller become_caller();

/// Says why `caller`'s helper has no CAP_NET_ADMIN, and what the administrator can do about it.
std::string why_unprivileged(const Caller& caller);

/// Takes CAP_NET_ADMIN, which must be permitted, out of effect or back into it. Throws Failure
/// ("failed to drop privileges").
void set_privileges_effective(bool effective);

}  // namespace tapgate
