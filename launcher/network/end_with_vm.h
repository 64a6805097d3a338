// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "common/names.h"
#include "common/unique_fd.h"

namespace tapgate {

/// From now on, this process or the program that it becomes ends at most a moment after the VM's
/// QEMU has ended, by SIGTERM and with a message on stderr. (A guest whose power was cut closes no
/// connection, and a client would wait for it forever.) Throws a LauncherError, also when the VM
/// does not run.
void end_with_vm(const VmName& name);

/// What to say when the VM has ended under whoever used it.
std::string ended_text(const VmName& name);

/// Whether a VM's QEMU, of which this is the pidfd, has ended, or does so in a moment: its
/// connections close first.
bool ends(const UniqueFd& qemu);

}  // namespace tapgate
