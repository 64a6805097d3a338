// SPDX-License-Identifier: GPL-2.0-or-later
//
// VMs that start with the host: as units of the user's systemd, or by cron's @reboot where there is
// no systemd.
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// Whether the user's systemd runs before he logs in and after he logs out ("lingering").
bool lingers();

/// Whether the VM starts with the host, in either way.
bool has_autostart(const VmName& name);

/// Makes the VM start with the host from now on, or no longer. Returns what the user should know or
/// do, a line for each thing. Throws a LauncherError when this host has neither systemd nor cron,
/// or when the user's crontab cannot be read.
std::vector<std::string> set_autostart(const VmName& name, bool on);

}  // namespace tapgate
