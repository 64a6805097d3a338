// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the launcher reads from and writes to the host.
#ifndef TAPGATE_LAUNCHER_HOST_H
#define TAPGATE_LAUNCHER_HOST_H

#include <optional>
#include <string>

#include "launcher/qemu_argv.h"
#include "launcher/vm_spec.h"

namespace tapgate {

/// Where the VM's file is: NAME.conf in $XDG_CONFIG_HOME/tapgate, or in ~/.config/tapgate.
std::string vm_file_path(const VmName& name);

/// The VM file's text; nothing when there is no such file. Throws a LauncherError for any other
/// failure, and for what is not a regular file or too long for a VM file.
std::optional<std::string> read_vm_file(const std::string& path);

/// Writes a new VM file, mode 0600, whole or not at all. Throws a LauncherError, also when there is
/// one already.
void write_vm_file(const std::string& path, const std::string& text);

/// What the command line needs to know of this host.
HostFacts host_facts(const VmSpec& spec);

/// The descriptors that a VM's adapters on bridges are going to have, counted from 3 on, vhost's
/// where /dev/vhost-net can be opened. Nothing is opened for good.
VmFds planned_fds(const VmSpec& spec);

/// The directory that relative paths of the command line start in.
std::string current_directory();

}  // namespace tapgate

#endif
