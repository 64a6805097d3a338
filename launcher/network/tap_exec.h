// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any program in the place of QEMU: it becomes this process, with a tap at descriptors that it
// knows beforehand. So a VMM that cannot call a helper (cloud-hypervisor, crosvm, a program of
// one's own) gets a bridge without any privilege.
#pragma once

#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

/// Throws a LauncherError when one of the descriptors `first`, `first` + 1, ... (`count` of them)
/// is open or can never be: whoever started this process passed it on, and the program may need it.
/// To be asked before anything is opened.
void require_free_descriptors(int first, unsigned count);

/// The number `first` for the first of `taps`, the next for the second and so on, open across exec.
/// They stay open from here on: only an exec, or the end, can follow. Throws a LauncherError.
void place_descriptors(std::vector<UniqueFd> taps, int first);

/// What the program finds in its environment: TAPGATE_TAP_FDS, the `count` numbers from `first` on
/// between commas, and TAPGATE_TAP_NAME, the tap device's name.
void set_tap_environment(int first, unsigned count, const std::string& tap);

/// Becomes the program `words[0]`, looked for in PATH. Descriptors that are not close-on-exec, the
/// environment, the terminal and the signals' state are the program's. Throws a LauncherError that
/// names it when it cannot be started.
[[noreturn]] void become(const std::vector<std::string>& words);

}  // namespace tapgate
