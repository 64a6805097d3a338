// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who uses how much of this host: all running VMs, as /proc shows their QEMUs
// (launcher/vm/qemu_process.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/network/host_network.h"

namespace tapgate {

/// A VM that runs.
struct VmUsage {
    uid_t user = 0;
    std::string name;
    pid_t process = 0;
    std::uint64_t memory = 0;    ///< of the guest, in MiB
    std::uint64_t resident = 0;  ///< what its QEMU takes of the host's memory, in MiB
    std::uint64_t cpu_milliseconds = 0;
    std::int64_t seconds = 0;           ///< since its start
    std::optional<std::uint64_t> disk;  ///< bytes of the images that it writes to; none: not ours
    std::string node;                   ///< of a cluster, on which it runs; empty: this host
};

/// The running VMs of `user`, or of everybody, ordered by user and name.
std::vector<VmUsage> vms_in_use(std::optional<uid_t> user);

/// How many taps of tapgate's each user has on each bridge; only `user`'s if that is given.
std::map<std::pair<uid_t, std::string>, unsigned> taps_in_use(const HostNetwork& network,
                                                              std::optional<uid_t> user);

}  // namespace tapgate
