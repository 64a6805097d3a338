// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's locks on image files (raw_check_lock_bytes() in QEMU's block/file-posix.c). A process that
// has an image open holds a lock on byte 100 + N for each permission N that it uses, and on byte
// 200 + N for each one that it does not share. The kernel manages them (F_OFD_SETLK), and NFSv4 and
// cluster file systems do so between hosts. So they show VMs that no runtime directory of this host
// knows of, whoever started them.
#pragma once

#include <optional>
#include <string>

#include "common/names.h"
#include "common/unique_fd.h"

namespace tapgate {

/// How other processes use an image at this moment.
enum class ImageUse { none, reading, writing };

/// Never blocks. Also returns `none` when the image cannot be opened or the file system has no
/// locks: QEMU does not open it then either.
ImageUse image_use(const std::string& path);

/// The user's VM that runs on this host with the image; nothing when there is none.
std::optional<VmName> vm_with_image(const std::string& path);

/// Who uses it, as far as that can be known: "the VM lab, process 4711 of this host
/// (qemu-system-x86)", "process 4711 of alice"; or else another host or another user.
std::string image_user(const std::string& path);

/// If another process uses the image, throws a LauncherError that names the image and its user.
void refuse_used_image(const std::string& path);

/// The same, but only for a use that keeps a VM from using the image as it wants to: for writing,
/// any use that does not share that; for reading, a use by somebody who writes.
void refuse_conflicting_use(const std::string& path, ImageUse wanted);

/// Keeps others from starting to use an image, with the locks that QEMU itself would hold.
class HeldImage {
  public:
    enum class For {
        reading,  ///< others may read it, but not write to it
        ending,   ///< nobody else may use it: it is about to be removed or replaced
    };

    /// Throws a LauncherError when somebody uses the image in a way that this excludes. What does
    /// not exist or is not a regular file needs no lock, and gets none.
    HeldImage(const std::string& path, For purpose);

  private:
    UniqueFd fd_;
};

}  // namespace tapgate
