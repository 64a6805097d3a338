// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where devices that are kept as QEMU has them are on the PCI bus of q35.
#ifndef TAPGATE_LAUNCHER_FOREIGN_TRANSLATION_KEPT_PLACES_H
#define TAPGATE_LAUNCHER_FOREIGN_TRANSLATION_KEPT_PLACES_H

#include "launcher/foreign/translation/machine.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// Gives each kept PCI device without a place one that tapgate's own devices leave free, in the
/// settings and in the notes. QEMU makes a -device in the old notation before those in JSON, and
/// would put it where tapgate's screen or its root ports go. A -virtfs becomes the two options that
/// it stands for, of which one has a place. Does nothing on a pc, where tapgate's devices have no
/// fixed places.
void place_kept_devices(const LegacyMachine& machine, Translation& result);

}  // namespace tapgate

#endif
