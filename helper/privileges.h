// SPDX-License-Identifier: GPL-2.0-or-later
//
// Theory of operation, in the order of execution.
//
// 1. become_caller() is the first statement of main(). It finds out once where the process has its
//    privilege from (a setuid-root file, a file capability, a root caller, nowhere) and goes, by
//    libcap-ng, to the only state that the rest of the program runs in:
//
//    - The caller's real uid and gid are the real, effective and saved ids. The supplementary
//      groups stay the caller's, so that a 0640 root:group policy file grants its group.
//    - CAP_NET_ADMIN alone is permitted and effective; nothing is inheritable or ambient. It is
//      needed to make a device (TUNSETIFF, tun_set_iff() in the kernel's drivers/net/tun.c) and to
//      make it a port (RTM_NEWLINK, rtnetlink_rcv_msg() in net/core/rtnetlink.c).
//    - no-new-privs is on: no exec can gain anything, whatever the bounding set holds. The process
//      is not dumpable (no ptrace, no core file, /proc owned by root), so that the caller, who has
//      the same uid from now on, cannot get at the capability.
//
//    It then tries to get root back, and fails unless the kernel says no.
// 2. install_syscall_filter() (syscall_filter.h) leaves only the calls that the rest needs.
// 3. A contained tap is made by a child, which has no privilege outside of its own namespace once
//    it has one (contained_tap.h).
// 4. CAP_NET_ADMIN is out of effect while the descriptors are sent, and would only come back to
//    delete the port of a tap that did not reach its user. The process ends without it in effect.
#pragma once

#include <sys/types.h>

namespace tapgate {

/// Who started the helper. Captured once, before anything else; nothing asks the kernel again.
struct Caller {
    uid_t uid;
    gid_t gid;
    /// Whether CAP_NET_ADMIN was there to keep. Without it everything but making a tap still works.
    bool privileged;
    /// When it was not: whether that is since the caller had set no-new-privs, which disarms setuid
    /// and file capabilities.
    bool no_new_privs;
};

/// Drops every privilege but CAP_NET_ADMIN, as described above, and proves it.
/// Should: leave the caller's ids and one capability. Must not: read any input, touch the file
/// system or the network. Throws Failure ("failed to drop privileges") when any step of it fails.
Caller become_caller();

/// Takes CAP_NET_ADMIN, which is there, out of effect, or brings it back. Throws Failure ("failed
/// to drop privileges").
void set_privileges_effective(bool effective);

}  // namespace tapgate
