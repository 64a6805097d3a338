// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM that is off as one file: its VM file, its disks and their checksums in a tar archive, which
// is an appliance (.ova), too, or is not (.tar). Both are read back by archived_vm.h.
//
//   NAME.ovf          of an appliance: its descriptor, the first as OVF wants it
//   NAME.mf           the checksums of all others: "SHA256(FILE)= DIGEST"
//   NAME.conf         the VM file, in which disks are members
//   NAME-disk0.vmdk   each disk, whole (an overlay with what it stands on); .qcow2 in a .tar
//   NAME-uefi-variables.qcow2  what the guest's firmware remembers, where it does: what boots
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

/// `variables`: where the VM's UEFI variables are, a qcow2 image; empty, or not there: it has none.
/// Writes `target`, an appliance when its name ends with ".ova", whole or not at all: there is room
/// for it, nothing is there, and nobody uses the disks meanwhile. Returns what is not in it, a line
/// each. Throws a LauncherError, also when the VM runs, and when SIGINT, SIGTERM or SIGHUP came.
std::vector<std::string> write_vm_archive(const VmName& name, const Owner& owner,
                                          const std::string& target, const std::string& variables,
                                          const Progress& progress);

}  // namespace tapgate
