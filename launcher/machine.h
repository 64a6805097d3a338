// SPDX-License-Identifier: GPL-2.0-or-later
//
// The versioned machine types behind `q35` and `pc`. A VM keeps the one that it was made with: a
// guest that finds other hardware after QEMU's next version may ask for its licence again, or name
// its adapters anew.
#ifndef TAPGATE_LAUNCHER_MACHINE_H
#define TAPGATE_LAUNCHER_MACHINE_H

#include <string>
#include <string_view>

#include "launcher/vm_spec.h"

namespace tapgate {

/// What `machine` stands for in the text that QEMU prints for `-machine help`; itself when that
/// does not say.
MachineType resolve_machine(const MachineType& machine, std::string_view help);

/// The same, by asking the program `qemu`. Throws a LauncherError when that fails.
MachineType ask_for_machine(const MachineType& machine, const std::string& qemu);

}  // namespace tapgate

#endif
