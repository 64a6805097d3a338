// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the properties of a -drive and of its device say about a disk.
#pragma once

#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/disks.h"

namespace tapgate {

/// Reads them into `disk`, whose path and kind are already known. `device` is null for a drive that
/// makes its device itself. `throw_away` means that nothing written to any disk is kept.
void read_disk_properties(LegacyParts& parts, Properties properties, LegacyDevice* device,
                          bool throw_away, ForeignDisk& disk);

/// Keeps what a guest finds a SCSI disk by in /dev/disk/by-id: its device_id=, or else the name of
/// its drive, which is empty for a node. If there is no serial number, one says the same
/// (scsi_realize() in QEMU's hw/scsi/scsi-disk.c).
void keep_scsi_id(const Properties& drive, Properties& device, const std::string& name,
                  ForeignDisk& disk);

/// The remaining properties, which are kept with a disk that is kept as QEMU has it, or otherwise
/// named in its note.
void add_left_over(LegacyParts& parts, Properties properties, LegacyDevice* device,
                   ForeignDisk& disk);

}  // namespace tapgate
