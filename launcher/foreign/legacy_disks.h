// SPDX-License-Identifier: GPL-2.0-or-later
//
// The disks and CD-ROMs of a QEMU command line: -hda, -drive with and without a -device, -blockdev.
#ifndef TAPGATE_LAUNCHER_LEGACY_DISKS_H
#define TAPGATE_LAUNCHER_LEGACY_DISKS_H

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/legacy_options.h"
#include "launcher/foreign/translation.h"

namespace tapgate {

/// A -drive, or what is short for one; or a -blockdev.
struct LegacyDrive {
    std::string was;
    Properties properties;
};

struct LegacyDevice {
    std::string was;
    Properties properties;  ///< the model is `driver`
    bool taken = false;     ///< a disk or an adapter has it
};

struct LegacyDisks {
    std::vector<LegacyDrive> drives;
    std::vector<LegacyDrive> nodes;  ///< of -blockdev
};

/// What the machine of the translation is like.
struct LegacyMachine {
    bool q35 = false;
    std::string directory;  ///< where relative paths start
    bool has_usb = false;   ///< a controller for kept devices has been added
};

/// Adds the disks to `result`, with a note for each; marks the devices that belong to them.
void translate_disks(const LegacyDisks& disks, std::vector<LegacyDevice>& devices,
                     LegacyMachine& machine, Translation& result);

/// Keeps a USB device, on a controller of its own.
void keep_usb_device(const std::string& was, const std::vector<std::string>& before,
                     const Properties& device, LegacyMachine& machine, Translation& result);

/// Is it, by its path, UEFI firmware or the variables of one?
bool is_uefi_firmware(std::string_view file);

/// "a and b", "a, b and c": properties that a note names.
std::string listed(const std::vector<Properties::Property>& properties);

}  // namespace tapgate

#endif
