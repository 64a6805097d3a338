// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sched.h>

#include <csignal>

namespace tapgate {

/// How a process may be made once make_port holds, and only so (contained_tap.cc): with this one's
/// memory and descriptors, since it is to leave some there; and born in a namespace, so that it
/// never has the privilege, and can be traced as little as this process can (the kernel asks
/// whether its memory may be dumped: __ptrace_may_access() in kernel/ptrace.c).
constexpr int contained_clone_flags =
    CLONE_VM | CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD;

/// There are two, since nobody can list the calls that a host's name service makes, and a program
/// that this process starts inherits its filter.
enum class SyscallFilter {
    /// From the start: refuses what neither reading the policy nor a name service has any use for:
    /// other uses of CAP_NET_ADMIN, namespaces, and the kernel's more adventurous interfaces.
    decide,
    /// Once the verdict is there: refuses all but the about 30 calls that making a port takes.
    make_port,
};

/// Puts a filter on this process for good, in addition to those it has: what it refuses fails with
/// EPERM. The lists, with their reasons, are in syscall_filter_generator.cc, which compiles them
/// when the program is built. Needs no-new-privs. Throws Failure, also where the kernel has no
/// seccomp filters.
void install_syscall_filter(SyscallFilter filter);

}  // namespace tapgate
