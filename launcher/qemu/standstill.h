// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "launcher/qemu/control.h"

namespace tapgate {

/// Why the guest of a VM that runs stands still, as part of a line that names the way out: it was
/// paused, or an image of it cannot grow, since its file system is full. Empty when it does not
/// stand still, or QEMU does not say.
std::string standstill(const VmName& name, std::chrono::milliseconds limit = qmp_limit);

/// The same over a connection that is there. Throws a QmpError when QEMU does not answer.
std::string standstill(const VmName& name, QmpClient& qmp,
                       std::chrono::milliseconds limit = qmp_limit);

/// The same, when a disk of it has failed; empty otherwise.
std::string failed_disk(const VmName& name, std::chrono::milliseconds limit = qmp_limit);

/// Lets a guest that stands still go on. Throws a LauncherError when it stands still again at once,
/// since what was in its way is in its way still.
void let_go_on(const VmName& name);

}  // namespace tapgate
