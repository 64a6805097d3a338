// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/names.h"

namespace tapgate {

/// Grows the VM's disk `index` (from 0, as in its file) to `size` bytes, or by `size` bytes if
/// `more`, whether the VM runs or not. Returns the old size. Throws a LauncherError when that would
/// not grow it (shrinking would lose what is after the new end), and when the disk is read-only or
/// the base of clones.
std::uint64_t grow_disk(const VmName& name, size_t index, std::uint64_t size, bool more = false);

}  // namespace tapgate
