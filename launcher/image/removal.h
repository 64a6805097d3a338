// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate delete: what of a VM goes, and what stays.
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// Files by their paths.
struct Removal {
    std::vector<std::string> files;  ///< that go
    std::vector<std::string> kept;   ///< images that stay

    /// A line for each.
    [[nodiscard]] std::string text() const;
};

/// What deleting the VM means: its file, its UEFI variables, its guest's SSH key and, with `disks`,
/// all else in its directory below data_directory(). Images elsewhere stay in any case. Throws a
/// LauncherError when there is no such VM, when another VM uses one of these files, or when the VM
/// is the base of clones.
Removal plan_removal(const VmName& name, bool disks);

/// Does it, and removes what its last run left. A base that loses its last clone can be written to
/// again. Returns what the user should know; throws a LauncherError when the VM runs, or a file
/// cannot be removed.
std::vector<std::string> remove_vm(const VmName& name, const Removal& removal);

}  // namespace tapgate
