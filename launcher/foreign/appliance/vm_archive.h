// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM that is off as one file: its VM file, its disks and their checksums in a tar archive, which
// may also be an appliance (.ova, otherwise .tar). archived_vm.h reads both back.
//
//   NAME.ovf          the descriptor of an appliance, which must come first
//   NAME.mf           the checksums of all other files: "SHA256(FILE)= DIGEST"
//   NAME.conf         the VM file, in which disks are members
//   NAME-disk0.vmdk   each disk, complete (an overlay with what it stands on); .qcow2 in a .tar
//   NAME-uefi-variables.qcow2  what the guest's firmware remembers, such as what boots, if it does
#pragma once

#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/vm/identity.h"

namespace tapgate {

/// The name of the member for the UEFI variables of the VM `name`.
std::string archived_variables_name(const std::string& name);

/// Makes the new raw image `target` from the UEFI variables in the qcow2 image `variables`, which
/// nobody may use meanwhile. Throws a LauncherError.
void write_raw_variables(const std::string& variables, const std::string& target);

/// Writes the archive `target`, which is an appliance if its name ends with ".ova", completely or
/// not at all: there has to be room, there must be no such file, and nobody can use the disks
/// meanwhile. `variables` is the path of the VM's UEFI variables, a qcow2 image; if empty or not
/// there, it has none. Returns what is not in the archive, a line for each thing. Throws a
/// LauncherError, also if the VM runs, and if SIGINT, SIGTERM or SIGHUP came.
std::vector<std::string> write_vm_archive(const VmName& name, const Owner& owner,
                                          const std::string& target, const std::string& variables,
                                          const Progress& progress);

}  // namespace tapgate
