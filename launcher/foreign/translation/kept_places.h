// SPDX-License-Identifier: GPL-2.0-or-later
//
// The places on the PCI bus of devices that are kept as QEMU has them.
#pragma once

#include "launcher/foreign/translation/machine.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// Whether a device of this model, as -device calls it, is on a PCI bus.
bool is_pci_device(std::string_view driver);

/// Gives each kept PCI device without a place one that tapgate's own devices do not use, in the
/// settings and in the notes. QEMU makes a -device in the old notation before those in JSON.
/// Without a place it would take that of tapgate's screen or root ports on q35; and on pc it would
/// come before all disks and adapters, which a guest counts as it finds them. A -virtfs is replaced
/// by the two options that it stands for, one of which has a place.
void place_kept_devices(const LegacyMachine& machine, Translation& result);

}  // namespace tapgate
