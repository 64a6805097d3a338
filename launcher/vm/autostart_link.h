// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The path of the link that makes the user's systemd start the VM.
std::string autostart_link(const VmName& name);

/// Whether that link exists. (A VM that cron starts has none; only crontab(1) would tell.)
bool starts_by_itself(const VmName& name);

/// The names of all VMs that have such a link, in alphabetical order.
std::vector<std::string> self_starting_vms();

}  // namespace tapgate
