// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a hostile caller can hand to a new process besides arguments, put in order: closed stdio, an
// environment, signal dispositions and masks, timers, stray descriptors.
#pragma once

#include <sys/random.h>

#include "helper/failure.h"

namespace tapgate {

/// Opens closed stdio descriptors on /dev/null, so that no file or socket opened later can be taken
/// for stderr; empties the environment; sets a clean signal mask; and starts the time limit: after
/// 10 s the process says so and exits with 1, however busy or blocked it is, since QEMU waits for
/// the helper without a limit of its own. (By SIGALRM, another second later, where nobody reads
/// stderr.) Throws Failure.
void settle_process();

/// A random value, whatever its type has for bits. Throws Failure.
template <typename T>
T random_value() {
    T value{};
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        fail_with_errno("failed to get random bytes");
    return value;
}

/// Closes every descriptor over stderr but `keep`.
void close_stray_fds(int keep);

}  // namespace tapgate
