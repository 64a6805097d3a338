// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who uses what of this host: all VMs that run, as /proc tells of their QEMU. Other users' too,
// whose directories are closed: what is in a command line they have written themselves.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/network/host_network.h"

namespace tapgate {

/// A VM that runs.
struct VmUsage {
    uid_t user = 0;
    std::string name;
    pid_t process = 0;
    std::uint64_t memory = 0;    ///< MiB, that the guest has
    std::uint64_t resident = 0;  ///< MiB, that its QEMU takes of the host's memory
    std::uint64_t cpu_milliseconds = 0;
    std::int64_t seconds = 0;           ///< since its start
    std::optional<std::uint64_t> disk;  ///< bytes of the images that it writes to; none: others'
    std::string node;                   ///< of a cluster's; empty: this host
};

/// What a QEMU's command line says of the VM; nothing when it is not one of tapgate's. `words`: as
/// in /proc/PID/cmdline.
struct QemuWords {
    std::string name;
    std::uint64_t memory = 0;  ///< MiB
};
std::optional<QemuWords> vm_in_command_line(std::string_view words);

/// The VMs that run: of `user`, or of all. In the order of users and names.
std::vector<VmUsage> vms_in_use(std::optional<uid_t> user);

/// How many taps of tapgate's each user has on each bridge, and whose they are.
std::map<std::pair<uid_t, std::string>, unsigned> taps_in_use(const HostNetwork& network,
                                                              std::optional<uid_t> user);

}  // namespace tapgate
