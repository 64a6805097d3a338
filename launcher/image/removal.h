// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate delete`: what is removed of a VM, and what stays.
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The paths of files.
struct Removal {
    std::vector<std::string> files;  ///< to be removed
    std::vector<std::string> kept;   ///< images that stay

    /// A line for each.
    [[nodiscard]] std::string text() const;
};

/// What becomes of a deleted VM's images in its directory below data_directory().
enum class OwnImages { stay, go };

/// What deleting the VM removes: its file, its UEFI variables, its guest's SSH key and, if its own
/// images go, everything else in its directory, also of a VM that was deleted without them. Images
/// elsewhere always stay. Throws a LauncherError when there is no such VM, when another VM uses one
/// of these files, or when the VM is the base of clones.
Removal plan_removal(const VmName& name, OwnImages own);

/// Removes that, and what the VM's last run has left. A base that loses its last clone becomes
/// writable again. Returns what the user should know. Throws a LauncherError when the VM runs, or a
/// file cannot be removed.
std::vector<std::string> remove_vm(const VmName& name, const Removal& removal);

}  // namespace tapgate
