// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/data_directory.h"

#include "launcher/base/directories.h"

namespace tapgate {

std::string vm_data_directory(const VmName& name) {
    return data_directory() + "/" + name.str();
}

std::string seed_path(const VmName& name) {
    return vm_data_directory(name) + "/seed.iso";
}

}  // namespace tapgate
