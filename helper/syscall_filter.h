// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_SYSCALL_FILTER_H
#define TAPGATE_HELPER_SYSCALL_FILTER_H

namespace tapgate {

/// Leaves this process only the system calls that the rest of the program needs; any other fails
/// with EPERM from here on, for good. The list, with a reason for each call, is in
/// syscall_filter_generator.cc, which compiles it when the program is built.
/// Needs no-new-privs. Throws Failure, also where the kernel has no seccomp filters.
void install_syscall_filter();

}  // namespace tapgate

#endif
