// SPDX-License-Identifier: GPL-2.0-or-later
//
// How ssh(1) is called for a guest. A guest's host key is learnt at the first login and kept in a
// file of the VM's own, under the VM's name, and not under an address that another machine may have
// tomorrow.
#pragma once

#include <string>
#include <vector>

#include "launcher/network/guest_addresses.h"

namespace tapgate {

/// The argument vector of ssh. `user` is the user in the guest (empty: ssh's default), and
/// `command` what to run (empty: a login).
std::vector<std::string> ssh_argv(const VmName& name, const SshTarget& target,
                                  const std::string& known_hosts, const std::string& user,
                                  const std::vector<std::string>& command);

/// The argument vector of scp for copying `from` to `to`, one of which is in the guest.
std::vector<std::string> scp_argv(const VmName& name, const SshTarget& target,
                                  const std::string& known_hosts, const std::string& user,
                                  const std::string& from, const std::string& to, bool to_guest);

/// A block of ssh_config(5) for all VMs, including future ones: `ssh tapgate-NAME` asks this
/// program for the way when it connects. Throws a LauncherError.
std::string ssh_pattern_config(const std::string& user);

/// Writes that block to .ssh/tapgate.conf below `home` and lets .ssh/config include it, unless that
/// has been done. Returns a line for each thing that was done. Throws a LauncherError.
std::vector<std::string> install_ssh_config(const std::string& home, const std::string& block);

/// A block of ssh_config(5) for one VM.
std::string ssh_config(const VmName& name, const SshTarget& target, const std::string& known_hosts,
                       const std::string& user);

/// The same for a guest that only this program can reach: one that runs on another host.
std::string ssh_proxy_config(const VmName& name, const std::string& known_hosts,
                             const std::string& user);

/// Makes the directory for the VM's host key, and becomes argv[0] (ssh or scp), which is looked up
/// in PATH. Returns only by a LauncherError.
[[noreturn]] void become_ssh(const VmName& name, const std::vector<std::string>& argv);

}  // namespace tapgate
