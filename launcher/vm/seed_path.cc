// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/seed_path.h"

#include "launcher/base/directories.h"

namespace tapgate {

std::string seed_path(const VmName& name) {
    return data_directory() + "/" + name.str() + "/seed.iso";
}

}  // namespace tapgate
