// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The link by which the user's systemd starts the VM.
std::string autostart_link(const VmName& name);

/// Whether there is one. (A VM that cron starts has none: only crontab(1) would tell.)
bool starts_by_itself(const VmName& name);

/// The names of all VMs that have one, in alphabetical order.
std::vector<std::string> self_starting_vms();

}  // namespace tapgate
