// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/known_hosts.h"

#include <unistd.h>

#include <cerrno>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/vm/data_directory.h"

namespace tapgate {

std::string known_hosts_path(const VmName& name) {
    return vm_data_directory(name) + "/known_hosts";
}

std::string known_hosts_directory() {
    return data_directory() + "/.known_hosts";
}

std::string pattern_known_hosts_path(const VmName& name) {
    return known_hosts_directory() + "/" + ssh_host_prefix + name.str();
}

void forget_known_hosts(const VmName& name) {
    for (const std::string& path : {known_hosts_path(name), pattern_known_hosts_path(name)})
        if (unlink(path.c_str()) != 0 && errno != ENOENT)
            fail_with_errno(shown(path));
}

}  // namespace tapgate
