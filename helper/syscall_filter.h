// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sched.h>

#include <csignal>

namespace tapgate {

/// The only way to make a process under the filter make_port; contained_tap.cc does. The child
/// shares this process's memory and descriptors, since it is to leave descriptors there. It is born
/// in a namespace, so that it never has the privilege. And it cannot be traced any more than this
/// process can, since that depends on the memory they share (__ptrace_may_access() in
/// kernel/ptrace.c).
constexpr int contained_clone_flags =
    CLONE_VM | CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD;

/// There are two filters: tapgate-lookup inherits the one that is installed when it is started, and
/// nobody can list the calls that a host's name service makes.
enum class SyscallFilter {
    /// From the start: refuses what neither reading the policy nor a name service ever needs: other
    /// uses of CAP_NET_ADMIN, namespaces, and the more adventurous kernel interfaces.
    decide,
    /// Once the verdict is known: refuses all but the about 30 calls that making a port takes.
    make_port,
};

/// Adds a filter to this process, for good. Calls that it refuses fail with EPERM. The lists, with
/// their reasons, are in syscall_filter_generator.cc, which compiles them when tapgate is built.
/// Needs no-new-privs. Throws Failure, also when the kernel has no seccomp filters.
void install_syscall_filter(SyscallFilter filter);

}  // namespace tapgate
