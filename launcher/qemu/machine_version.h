// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The settings for a new VM's file, with the current version of `machine` written down, so that
/// the guest's hardware stays the same under a later QEMU. If there is no QEMU to ask, prints a
/// note. Of a setting that is given twice but counts once, the last stays.
std::vector<Setting> with_machine_version(std::vector<Setting> settings,
                                          const MachineType& machine);

}  // namespace tapgate
