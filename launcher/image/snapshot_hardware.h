// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a VM was like when a snapshot with its RAM was made: a file for each in the VM's data
// directory. A snapshot that has none, because it was made without tapgate or by an older one, is
// restored without having been compared.
#pragma once

#include <string>

#include "common/names.h"
#include "launcher/image/snapshot.h"
#include "launcher/qemu/hardware.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

/// Writes down what the running VM was like, for a snapshot that was just made. Throws a
/// LauncherError.
void record_hardware(const VmName& vm, const Snapshot& snapshot, const Hardware& hardware);

/// Throws a LauncherError that names what differs, and the way out, when the running VM is not like
/// the one that the snapshot was made of. Throws a QmpError when QEMU does not answer.
void require_same_hardware(const VmName& vm, const Snapshot& snapshot, QmpClient& qmp);

/// Removes what is written down for the snapshot `tag`, or for all.
void forget_hardware(const VmName& vm, const std::string& tag);
void forget_hardware(const VmName& vm);

/// Whether this is the name of such a file.
bool is_hardware_record(const std::string& file);

}  // namespace tapgate
