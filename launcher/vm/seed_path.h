// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_LAUNCHER_VM_SEED_PATH_H
#define TAPGATE_LAUNCHER_VM_SEED_PATH_H

#include <string>

#include "common/names.h"

namespace tapgate {

/// Where the seed of the VM is, which its guest finds as a disk: in the VM's data directory.
std::string seed_path(const VmName& name);

}  // namespace tapgate

#endif
