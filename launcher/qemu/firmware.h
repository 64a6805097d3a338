// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds UEFI firmware as docs/interop/firmware.json in QEMU's sources says: by descriptors that
// distributions and administrators install. The first that fits, in the order of file names, is
// used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/qemu/argv.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The directories of descriptors: the user's, the administrator's, the distribution's. A file
/// overrides those of the same name in later directories.
std::vector<std::string> firmware_directories();

/// The UEFI firmware for the VM, and where its variables are. They need not exist yet; if they do,
/// the firmware fits them. When there is none, throws a LauncherError that says what to install, or
/// what to move away.
UefiFiles find_uefi(const VmSpec& spec, const std::vector<std::string>& directories);

/// The size in bytes of the flash memory in the file, which is raw, or a qcow2 that begins at
/// `offset`; nothing when it cannot be read.
std::optional<std::uint64_t> flash_size(const FirmwareFile& file, std::uint64_t offset = 0);

/// Why no firmware on this host fits variables of that size for the VM: "of 128 KiB, and ...".
/// Empty when one does, or when there is no firmware at all yet.
std::string why_not_these_variables(const VmSpec& spec, std::uint64_t size,
                                    const std::vector<std::string>& directories);

/// The path of the VM's variables; empty when its firmware has none.
std::string uefi_variables_path(const VmName& name, Firmware firmware);

/// Makes the file of variables from its template, if there is none yet. It is a qcow2, which unlike
/// a raw file can be part of the guest's snapshots. Throws a LauncherError.
void make_uefi_variables(const UefiFiles& files);

}  // namespace tapgate
