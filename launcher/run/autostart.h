// SPDX-License-Identifier: GPL-2.0-or-later
//
// VMs that start with the host: as units of the user's systemd, or by cron's @reboot where there is
// no systemd.
#pragma once

#include <string>
#include <vector>

#include "launcher/vm/spec.h"

namespace tapgate {

/// Whether the user's systemd runs before he logs in and after he logs out.
bool lingers();

/// Whether it starts by itself, by either of them.
bool has_autostart(const VmName& name);

/// Has it start by itself from now on, or no more. Returns what the user should know or do, a line
/// each. Throws a LauncherError when this host has neither systemd nor cron, or cron does not say
/// what the user's table has.
std::vector<std::string> set_autostart(const VmName& name, bool on);

}  // namespace tapgate
