// SPDX-License-Identifier: GPL-2.0-or-later
//
// UEFI firmware, found as docs/interop/firmware.json in QEMU's sources says: descriptors that
// distributions and administrators install, the first one in the order of file names that fits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/qemu/argv.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Where descriptors are: the user's, the administrator's, the distribution's. A file takes the
/// place of those of the same name in the later ones.
std::vector<std::string> firmware_directories();

/// The UEFI firmware of the VM, and where its variables are (they need not be there yet; where they
/// are, it is one that can take them). Throws a LauncherError that says what to install, or to move
/// away, when there is none.
UefiFiles find_uefi(const VmSpec& spec, const std::vector<std::string>& directories);

/// Bytes of the flash memory that the file stands for, a raw one or a qcow2 that begins at
/// `offset`; nothing where that cannot be read.
std::optional<std::uint64_t> flash_size(const FirmwareFile& file, std::uint64_t offset = 0);

/// Why no firmware of this host can take variables of that size for the VM: "of 128 KiB, and ...";
/// empty: one can, or there is no firmware at all yet.
std::string why_not_these_variables(const VmSpec& spec, std::uint64_t size,
                                    const std::vector<std::string>& directories);

/// Where the variables of the VM are; empty: its firmware has none.
std::string uefi_variables_path(const VmName& name, Firmware firmware);

/// Makes the file of variables from its template where there is none. A qcow2, which can be part of
/// the guest's snapshots, unlike a raw one. Throws a LauncherError.
void make_uefi_variables(const UefiFiles& files);

}  // namespace tapgate
