// SPDX-License-Identifier: GPL-2.0-or-later
//
// Foreign images made the user's own: converted to qcow2 by qemu-img into the VM's directory, whole
// or not at all.
#ifndef TAPGATE_LAUNCHER_IMAGE_IMPORT_H
#define TAPGATE_LAUNCHER_IMAGE_IMPORT_H

#include <cstdint>
#include <functional>
#include <string>

#include "launcher/vm_spec.h"

namespace tapgate {

/// An image to convert: a file, or a part of one (a member of an archive).
struct SourceImage {
    std::string path;  ///< absolute
    ImageFormat format = ImageFormat::raw;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;  ///< 0: the whole file
};

/// Called with 0 to 100.
using Progress = std::function<void(double percent)>;

/// Throws a LauncherError unless the image is there, readable, of its format, and names no file
/// that is not part of it: no backing file, no parent, extents beside it only.
void check_source_image(const SourceImage& image);

/// Converts `image`, which was checked, to the new qcow2 image `target`; the directory is made when
/// it is not there. Checks the free space first and the result at the end. A failure, SIGINT,
/// SIGTERM and SIGHUP leave nothing behind, and are LauncherErrors.
void import_image(const SourceImage& image, const std::string& target, const Progress& progress);

}  // namespace tapgate

#endif
