// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The settings for a new VM's file, with the version that `machine` has today written down, so
/// that the guest's hardware stays the same under a later QEMU. Where there is no QEMU to tell it,
/// a note says so. Of what is given twice and counts once, the last stays.
std::vector<Setting> with_machine_version(std::vector<Setting> settings,
                                          const MachineType& machine);

}  // namespace tapgate
