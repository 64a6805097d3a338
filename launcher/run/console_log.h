// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest has written to its console: console.log in the VM's directory, which QEMU appends to
// without a limit. That directory is in memory, a user's whole session shares it, and the guest
// decides what it writes: the supervisor keeps it small.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>

#include "common/names.h"

namespace tapgate {

/// The size in bytes from which on limit_console_log() does something.
inline constexpr off_t console_log_limit = 4L * 1024 * 1024;

/// The log's files, the older one first. Neither has to be there.
std::array<std::string, 2> console_log_paths(const VmName& name);

/// Removes the log of the run before. Only for who holds the VM's lock.
void remove_console_log(const VmName& name);

/// When the log is too large: its last console_log_limit bytes become the older file, and QEMU
/// begins anew. What QEMU writes in between, microseconds, can be lost. Throws a LauncherError.
void limit_console_log(const VmName& name);

}  // namespace tapgate
