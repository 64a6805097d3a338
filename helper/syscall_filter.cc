// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/syscall_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <iterator>

#include "helper/failure.h"

namespace tapgate {

namespace {

// Not const, since sock_fprog's pointer is not.
sock_filter program[] = {
#include "syscall_filter_program.inc"
};

}  // namespace

void install_syscall_filter() {
    const sock_fprog filter{std::size(program), program};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
        fail_with_errno("failed to install the system call filter");
}

}  // namespace tapgate
