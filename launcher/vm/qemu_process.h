// SPDX-License-Identifier: GPL-2.0-or-later
//
// The VMs of this host as /proc shows their QEMUs. Those are the only traces of other users' VMs,
// whose directories are closed, and of a VM whose own directory was removed while it ran (by logind
// at the last logout, or by whoever tidies up): nothing can connect to its sockets any more, but
// its QEMU still writes to its disks. Such a VM is called lost.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// A VM's QEMU, by its command line, which is its own claim if it is another user's.
struct QemuProcess {
    std::string vm;            ///< a VmName
    std::uint64_t memory = 0;  ///< of the guest, in MiB
    std::string directory;     ///< of its sockets, as it sees it
    pid_t process = 0;
    uid_t user = 0;
};

/// Whether another process has locked the file, as a supervisor does with its VM's.
bool is_locked(const std::string& path);

/// The QEMU with the command line `words`, in the form of /proc/PID/cmdline, without process and
/// user; nothing when the VM is not one of tapgate's.
std::optional<QemuProcess> vm_in_command_line(std::string_view words);

/// The QEMUs of `user`, or of everybody.
std::vector<QemuProcess> qemu_processes(std::optional<uid_t> user);

/// This user's VMs that are lost. For a moment, one without a supervisor that is about to end looks
/// as if it were. Looks through /proc once a second at most.
std::vector<QemuProcess> lost_vms();

/// The VM's QEMU if the VM is lost.
std::optional<QemuProcess> lost_vm(const VmName& name);

}  // namespace tapgate
