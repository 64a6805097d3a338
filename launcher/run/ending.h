// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ends a running VM from another process than its supervisor. power_down.h decides what to do when;
// this does it.
#pragma once

#include <chrono>

#include "common/names.h"
#include "common/unique_fd.h"
#include "launcher/run/power_down.h"

namespace tapgate {

/// Takes a step of PowerDown: the power button (after resuming a paused guest, which would never
/// see it), or QMP's quit. Step::kill is left to the caller. Throws a LauncherError when QEMU does
/// not answer or refuses.
void take_step(const VmName& name, PowerDown::Step step);

/// The pidfd of a running VM's QEMU, as from qemu_pidfd(). When the VM does not run, prints a note
/// and returns none. Throws a LauncherError while the VM is being started, and when there is no
/// such VM.
UniqueFd running_qemu(const VmName& name);

/// Throws a LauncherError unless the VM runs and can be reached.
void require_running(const VmName& name);

/// Asks the guest to power down, and waits up to `limit` for that. Then, with `force`, cuts its
/// power; otherwise throws a LauncherError. A lost VM cannot be asked, so its time is over at once.
void power_down_vm(const VmName& name, const UniqueFd& qemu, std::chrono::milliseconds limit,
                   bool force);

/// Kills QEMU and waits for it to end. Throws a LauncherError when it hangs in the kernel.
void end_by_force(const VmName& name, const UniqueFd& qemu);

/// Waits until the supervisor has ended too, so that the VM can be started again. Removes what a
/// failed run has left, since the user has now seen it end. Throws a LauncherError.
void settle(const VmName& name);

}  // namespace tapgate
