// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "common/names.h"

namespace tapgate {

/// The directory of what the VM keeps when it is off: overlays, UEFI variables, its guest's keys.
/// It need not exist. (For files at run time, see vm_directory() in vm/state.h.)
std::string vm_data_directory(const VmName& name);

/// The path of the VM's seed, which its guest sees as a disk: in the VM's data directory.
std::string seed_path(const VmName& name);

}  // namespace tapgate
