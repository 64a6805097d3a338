// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "common/names.h"

namespace tapgate {

/// What the VM keeps when it is off: overlays, UEFI variables, its guest's keys. Of the runtime's
/// files see vm_directory() in vm/state.h. It may not be there.
std::string vm_data_directory(const VmName& name);

/// Where the seed of the VM is, which its guest finds as a disk: in the VM's data directory.
std::string seed_path(const VmName& name);

}  // namespace tapgate
