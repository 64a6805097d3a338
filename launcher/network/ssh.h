// SPDX-License-Identifier: GPL-2.0-or-later
//
// How ssh(1) is called for a guest. A guest's key is the VM's own and nobody else's: it is learnt
// at the first login, and kept in a file of the VM's, under the VM's name and not under an address
// that another machine has tomorrow.
#pragma once

#include <string>
#include <vector>

#include "launcher/network/guest_addresses.h"

namespace tapgate {

/// ssh's argument vector. `user`: who to be in the guest; empty: what ssh takes. `command`: empty
/// for a login.
std::vector<std::string> ssh_argv(const VmName& name, const SshTarget& target,
                                  const std::string& known_hosts, const std::string& user,
                                  const std::vector<std::string>& command);

/// scp's argument vector, which copies `from` to `to`; one of them is in the guest.
std::vector<std::string> scp_argv(const VmName& name, const SshTarget& target,
                                  const std::string& known_hosts, const std::string& user,
                                  const std::string& from, const std::string& to, bool to_guest);

/// A block of ssh_config(5) for all VMs, those to come too: `ssh tapgate-NAME' asks this program
/// for the way when it connects. Throws a LauncherError.
std::string ssh_pattern_config(const std::string& user);

/// Writes that block to .ssh/tapgate.conf below `home`, and has .ssh/config include it, each when
/// it is not so yet. Returns what was done, a line each. Throws a LauncherError.
std::vector<std::string> install_ssh_config(const std::string& home, const std::string& block);

/// The same as a block of ssh_config(5).
std::string ssh_config(const VmName& name, const SshTarget& target, const std::string& known_hosts,
                       const std::string& user);

/// The same of a guest that only this program finds the way to: one that runs on another host.
std::string ssh_proxy_config(const VmName& name, const std::string& known_hosts,
                             const std::string& user);

/// Becomes argv[0] (ssh or scp), which is looked for in PATH; makes the directory for the VM's key
/// first. Returns only by a LauncherError.
[[noreturn]] void become_ssh(const VmName& name, const std::vector<std::string>& argv);

}  // namespace tapgate
