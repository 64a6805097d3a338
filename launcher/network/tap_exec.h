// SPDX-License-Identifier: GPL-2.0-or-later
//
// Starts any program with a tap: this process becomes the program, with a tap on descriptors that
// are known beforehand. So a VMM that cannot call a helper (cloud-hypervisor, crosvm, a program of
// one's own) gets a bridge without any privilege.
#pragma once

#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// Throws a LauncherError when one of the `count` descriptors from `first` on is open or
/// impossible: whoever started this process passed it on, and the program may need it. To be called
/// before anything is opened.
void require_free_descriptors(int first, unsigned count);

/// Gives the first of `taps` the number `first`, the second the next, and so on, and keeps them
/// open across an exec. They stay open, so only an exec or the end can follow. Throws a
/// LauncherError.
void place_descriptors(std::vector<UniqueFd> taps, int first);

/// Sets the program's environment: TAPGATE_TAP_FDS is the `count` numbers from `first` on,
/// separated by commas, and TAPGATE_TAP_NAME is the name of the tap device.
void set_tap_environment(int first, unsigned count, const std::string& tap);

/// Becomes the program `words[0]`, which is looked up in PATH and inherits the descriptors that are
/// not close-on-exec, the environment, the terminal and the state of signals. Throws a
/// LauncherError that names the program when it cannot be started.
[[noreturn]] void become(const std::vector<std::string>& words);

}  // namespace tapgate
