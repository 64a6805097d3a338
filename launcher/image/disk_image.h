// SPDX-License-Identifier: GPL-2.0-or-later
//
// Checks that a VM's images are what its description says.
//
// An image can name other files: a qcow2 its backing file and its data file, a vmdk its extents.
// Whoever made the image chose these names, QEMU opens them with the user's rights, and the guest
// reads them. So a downloaded image could read any file of the user's. Therefore nothing is opened
// that the user did not name, unless the description allows it.
//
// A qcow2 is parsed here and not by qemu-img, which opens what an image names before anybody can
// look at the name. Without qemu-img the check also takes next to no time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/confinement.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The files that a qcow2 image names (docs/interop/qcow2.txt in QEMU's sources).
struct Qcow2Names {
    std::string backing;         ///< empty: none
    std::string backing_format;  ///< empty: the image does not say, so QEMU would guess
    bool has_data_file = false;  ///< its data is in another file
};

/// Reads the header of the qcow2 image `path`, or of one that begins at offset `start` of that
/// file. Throws a LauncherError when it is not a qcow2 image.
Qcow2Names read_qcow2_names(const std::string& path, std::uint64_t start = 0);

/// The name of a VM's disk `index` in the VM's data directory, if the launcher makes that disk.
std::string own_image_name(size_t index);

/// The format that the file's first bytes show; nothing for a file that can only be raw.
std::optional<ImageFormat> format_by_content(const std::string& path);

/// Checks the disk's image and all that it leads to: it must be an existing file or block device,
/// readable (and writable if the guest may write to it, which `snapshot` prevents), of the format
/// that the disk names, and without a backing file that the disk does not name. Returns what looks
/// odd but may be intended. Throws a LauncherError that says what to change.
std::vector<std::string> check_disk(const Disk& disk, bool snapshot);

/// The files that qemu-img has to open to change the disk's image: the image, and those it depends
/// on. Nothing for a disk with backing=any, since only QEMU knows them. Throws as check_disk()
/// does.
std::optional<FileAccess> access_to(const Disk& disk);

/// check_disk() for all that the VM has: disks, CD-ROMs, kernel and initial ramdisk.
std::vector<std::string> check_images(const VmSpec& spec);

}  // namespace tapgate
