// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a VM that runs is ended by another process than its supervisor. power_down.h says what is
// done when; here it is done.
#pragma once

#include <chrono>

#include "common/unique_fd.h"
#include "launcher/run/power_down.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Takes a step of PowerDown: the power button (a guest that is paused goes on, or it would never
/// see it), or QMP's quit. Step::kill is the caller's. Throws a LauncherError when QEMU does not
/// answer, or refuses.
void take_step(const VmName& name, PowerDown::Step step);

/// The process of a VM that runs, as qemu_pidfd() has it; none, and a note, when it does not.
/// Throws a LauncherError while it is being started, and when there is no such VM.
UniqueFd running_qemu(const VmName& name);

/// Throws a LauncherError unless the VM runs.
void require_running(const VmName& name);

/// Asks the guest to power down and waits for it, up to `limit`; then `force` cuts its power, and
/// without that it throws a LauncherError.
void power_down_vm(const VmName& name, const UniqueFd& qemu, std::chrono::milliseconds limit,
                   bool force);

/// Kills QEMU and waits for its end. Throws a LauncherError when it hangs in the kernel.
void end_by_force(const VmName& name, const UniqueFd& qemu);

/// Waits until the supervisor has ended too: then the VM can be started again. What it left after a
/// failure goes, since the user knows of that end. Throws a LauncherError.
void settle(const VmName& name);

}  // namespace tapgate
