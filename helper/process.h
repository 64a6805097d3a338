// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts in order what a hostile caller can hand to a new process besides arguments: closed stdio, an
// environment, signal dispositions and masks, timers, stray descriptors.
#pragma once

#include <sys/random.h>

#include "helper/failure.h"

namespace tapgate {

/// Opens closed stdio descriptors on /dev/null, so that no file or socket opened later can be taken
/// for stderr; empties the environment; sets a clean signal mask; and starts the time limit. After
/// 10 s the process says that it gives up and exits with 1, however busy or blocked it is, since
/// QEMU waits for the helper without a limit. (If stderr blocks, SIGALRM kills the process a second
/// later.) Throws Failure.
void settle_process();

/// A value whose bits are all random. Throws Failure.
template <typename T>
T random_value() {
    T value{};
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        fail_with_errno("failed to get random bytes");
    return value;
}

/// An ifindex for a new link: most likely free, and far above those that the kernel gives out. It
/// counts these up until the host boots, and a bridge's is a part of its ports' names, for which
/// there is not much room: links that come and go must not use them up.
inline int random_ifindex() {
    return static_cast<int>(1U << 30U | random_value<unsigned>() >> 2U);
}

/// Closes every descriptor above stderr except `keep`. Throws Failure.
void close_stray_fds(int keep);

}  // namespace tapgate
