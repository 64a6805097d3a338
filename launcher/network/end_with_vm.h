// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/names.h"

namespace tapgate {

/// From now on this process, or the program that it becomes, ends at the latest a moment after the
/// VM's QEMU has: by SIGTERM, and with a word on stderr. A guest that has lost its power closes no
/// connection, and whoever waits for its next word would wait for ever. Throws a LauncherError,
/// when the VM does not run too.
void end_with_vm(const VmName& name);

}  // namespace tapgate
