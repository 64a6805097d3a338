// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest has written to its console: console.log in the VM's directory, to which QEMU appends
// without a limit. That directory is in memory and shared by the user's whole session, and the
// guest decides what it writes. So the supervisor keeps the log small.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>

#include "common/names.h"

namespace tapgate {

/// The size in bytes above which limit_console_log() does something.
inline constexpr off_t console_log_limit = 4L * 1024 * 1024;

/// The paths of the log's files, the older one first. They need not exist.
std::array<std::string, 2> console_log_paths(const VmName& name);

/// Removes the log of the previous run. Only for the holder of the VM's lock.
void remove_console_log(const VmName& name);

/// If the log is too large, its last console_log_limit bytes become the older file, and QEMU starts
/// anew. What QEMU writes in the microseconds between can be lost. Throws a LauncherError.
void limit_console_log(const VmName& name);

}  // namespace tapgate
