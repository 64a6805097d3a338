// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "launcher/qemu/control.h"

namespace tapgate {

/// Why the guest of a running VM stands still, as a part of a line that names the way out: it was
/// paused, an image cannot grow because its file system is full, or a snapshot was restored that
/// does not fit. Empty when it does not stand
/// still, or QEMU does not say.
std::string standstill(const VmName& name, std::chrono::milliseconds limit = qmp_limit);

/// The same over an existing connection. Throws a QmpError when QEMU does not answer.
std::string standstill(const VmName& name, QmpClient& qmp,
                       std::chrono::milliseconds limit = qmp_limit);

/// The same, but only when one of its disks has failed; otherwise empty.
std::string failed_disk(const VmName& name, std::chrono::milliseconds limit = qmp_limit);

/// Lets a guest that stands still continue. Throws a LauncherError when it cannot, or stops again
/// at once, because what stopped it is still the case.
void let_go_on(const VmName& name);

}  // namespace tapgate
