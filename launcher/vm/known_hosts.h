// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "common/names.h"

namespace tapgate {

/// Before a VM's name it makes the name that ssh knows the guest by.
inline constexpr const char* ssh_host_prefix = "tapgate-";

/// The guest's keys that `tapgate ssh' and its like have learnt.
std::string known_hosts_path(const VmName& name);

/// Where the keys of guests are that ssh itself has logged in to, a file of each, called as ssh
/// calls the guest.
std::string known_hosts_directory();

/// The VM's file there.
std::string pattern_known_hosts_path(const VmName& name);

/// Of a guest whose disk is another from now on, and so perhaps its keys, too: ssh would refuse
/// them.
void forget_known_hosts(const VmName& name);

}  // namespace tapgate
