// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "common/names.h"

namespace tapgate {

/// In front of a VM's name, makes the name by which ssh knows the guest.
inline constexpr const char* ssh_host_prefix = "tapgate-";

/// The file of the guest's host keys that `tapgate ssh` and similar verbs have learnt.
std::string known_hosts_path(const VmName& name);

/// The directory of the host keys of guests that ssh itself has logged in to: one file for each,
/// with the name by which ssh knows the guest.
std::string known_hosts_directory();

/// The VM's file in that directory.
std::string pattern_known_hosts_path(const VmName& name);

/// Forgets the host keys of a guest that gets another disk and so may get other keys, which ssh
/// would refuse.
void forget_known_hosts(const VmName& name);

}  // namespace tapgate
