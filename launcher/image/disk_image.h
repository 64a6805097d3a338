// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether a VM's images are what its description says they are.
//
// An image names other files: a qcow2 its backing file and its data file, a vmdk its extents. Who
// made the image chose them, QEMU opens them with the user's rights, and the guest reads them: a
// downloaded image can so read any file of the user's. So nothing is opened that the user did not
// name, unless the description says that it may be.
//
// A qcow2 is read here and not by qemu-img, which opens what an image names before anybody can look
// at the name; and without it the check costs no time worth speaking of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/confinement.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What a qcow2 image names (docs/interop/qcow2.txt in QEMU's sources).
struct Qcow2Names {
    std::string backing;         ///< empty: none
    std::string backing_format;  ///< empty: not written down, so that QEMU would guess
    bool has_data_file = false;  ///< its data are in another file
};

/// Reads the header of the qcow2 image `path`, or of the one that begins at `start` of that file.
/// Throws a LauncherError when it is not one.
Qcow2Names read_qcow2_names(const std::string& path, std::uint64_t start = 0);

/// What the disk `index` of a VM is called in the VM's data directory, where the launcher makes it.
std::string own_image_name(size_t index);

/// The format that the file's first bytes look like; nothing for what can only be raw.
std::optional<ImageFormat> format_by_content(const std::string& path);

/// Checks the disk's image and all that it leads to: there, a file or block device, readable
/// (writable where the guest may write: `snapshot` means that it may not), of the format that it is
/// said to be, and with no backing file that the disk does not name. Returns what is odd and yet
/// may be meant; throws a LauncherError that says what to change.
std::vector<std::string> check_disk(const Disk& disk, bool snapshot);

/// What qemu-img has to open to change the disk's image: the image, and what that stands on. Throws
/// as check_disk() does. Nothing for a disk that says backing=any: only QEMU knows.
std::optional<FileAccess> access_to(const Disk& disk);

/// The same as check_disk() for all that the VM has: disks, CD-ROMs, kernel and initial ramdisk.
std::vector<std::string> check_images(const VmSpec& spec);

}  // namespace tapgate
