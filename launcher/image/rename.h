// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "common/names.h"
#include "launcher/vm/identity.h"

namespace tapgate {

/// The text of the VM's file under its new name. Paths into its data directory lead into the new
/// one, and each adapter keeps the MAC address that it had under the old name as `owner`'s.
std::string renamed_text(const std::string& text, const VmName& from, const VmName& to,
                         const Owner& owner);

/// Renames a VM that is off, with its data directory, its file and its guest's host keys. Returns
/// what the user should know. Throws a LauncherError, and then has changed nothing, when the new
/// name is taken, the VM runs, or clones depend on its images.
std::vector<std::string> rename_vm(const VmName& from, const VmName& to, const Owner& owner);

}  // namespace tapgate
