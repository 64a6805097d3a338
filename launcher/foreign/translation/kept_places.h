// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where devices that are kept as QEMU has them are on the PCI bus.
#pragma once

#include "launcher/foreign/translation/machine.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// Gives each kept PCI device without a place one that tapgate's own devices leave free, in the
/// settings and in the notes. QEMU makes a -device in the old notation before those in JSON: it
/// would put it where tapgate's screen or its root ports go on q35, and in front of all disks and
/// adapters on pc, which a guest counts as it finds them. A -virtfs becomes the two options that it
/// stands for, of which one has a place.
void place_kept_devices(const LegacyMachine& machine, Translation& result);

}  // namespace tapgate
