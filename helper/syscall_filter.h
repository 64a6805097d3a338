// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace tapgate {

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
