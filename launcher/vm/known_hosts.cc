// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/known_hosts.h"

#include "launcher/base/directories.h"

namespace tapgate {

std::string known_hosts_directory() {
    return data_directory() + "/.known_hosts";
}

std::string pattern_known_hosts_path(const VmName& name) {
    return known_hosts_directory() + "/" + ssh_host_prefix + name.str();
}

}  // namespace tapgate
