// SPDX-License-Identifier: GPL-2.0-or-later
//
// The CD in a drive of a running VM.
#pragma once

#include <string>

#include "common/names.h"

namespace tapgate {

/// Takes the CD out of the VM's first drive, with `force` even if the guest has locked it. Throws a
/// LauncherError when there is no drive or no CD, or when the guest keeps it.
void take_medium(const VmName& name, bool force);

/// Puts the image `path` (absolute) into the VM's first drive, in place of what is there.
/// Throws a LauncherError.
void insert_medium(const VmName& name, const std::string& path, bool force);

}  // namespace tapgate
