// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/names.h"

namespace tapgate {

/// Makes the VM's disk `index`, as its file counts them from 0, `size` bytes large, while the VM
/// runs or not. Returns the size it had. Throws a LauncherError: when that would not grow it, since
/// what is behind the new end would be lost; when the disk is read-only, or the base of clones.
/// `more`: by so much, and not to so much.
std::uint64_t grow_disk(const VmName& name, size_t index, std::uint64_t size, bool more = false);

}  // namespace tapgate
