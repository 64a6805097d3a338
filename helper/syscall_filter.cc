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

// Not const, since sock_fprog has a pointer to non-const.
sock_filter decide_program[] = {
#include "syscall_filter_decide.inc"
};
sock_filter make_port_program[] = {
#include "syscall_filter_make_port.inc"
};

}  // namespace

void install_syscall_filter(SyscallFilter filter) {
    const sock_fprog program = filter == SyscallFilter::decide
                                   ? sock_fprog{std::size(decide_program), decide_program}
                                   : sock_fprog{std::size(make_port_program), make_port_program};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        fail_with_errno("failed to install the system call filter");
}

}  // namespace tapgate
