// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's locks on image files (raw_check_lock_bytes() in block/file-posix.c of QEMU): each process
// that has an image open holds byte 100 + N for each permission N that it uses, and byte 200 + N
// for each that it does not share. The kernel keeps them (F_OFD_SETLK), NFSv4 and cluster file
// systems between hosts, too: so they tell of VMs that no runtime directory of this host knows of,
// whoever started them.
#pragma once

#include <string>

#include "common/unique_fd.h"

namespace tapgate {

/// What others do with an image at this moment.
enum class ImageUse { none, reading, writing };

/// Never waits. `none` too where it cannot be opened, or the file system has no locks: there QEMU
/// does not open it either.
ImageUse image_use(const std::string& path);

/// Who uses it, as far as it can be known: "the VM lab, process 4711 of this host
/// (qemu-system-x86)", "process 4711 of alice", or what remains: another host, another user.
std::string image_user(const std::string& path);

/// Throws a LauncherError that names the image and its user when another process uses it.
void refuse_used_image(const std::string& path);

/// The same when it is used in a way that keeps a VM from having it: of one that writes to it,
/// in any way that does not share that; of one that reads it, by somebody who writes.
void refuse_conflicting_use(const std::string& path, bool writes);

/// An image that nobody can begin to use meanwhile: held as QEMU itself would hold it.
class HeldImage {
  public:
    enum class For {
        reading,  ///< others may read it, and none write to it
        ending,   ///< nobody else has it: it is going to be removed or replaced
    };

    /// Throws a LauncherError when somebody uses it in a way that this excludes. What is not there,
    /// or is no regular file, is held by nobody, and need not be.
    HeldImage(const std::string& path, For purpose);

  private:
    UniqueFd fd_;
};

}  // namespace tapgate
