// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM made of an image that is not its own: somebody's golden image, a cloud image, an installer's
// CD-ROM. The image stays as it is, for any number of VMs and users.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What a new VM is to be.
struct NewVm {
    VmName name;
    /// An image, as a setting with the key "disk" has it, or a CD-ROM ("cdrom").
    Setting from;
    /// The disk's size in bytes; nothing: the image's, or default_disk_size beside a CD-ROM.
    std::optional<std::uint64_t> size;
    std::vector<Setting> settings;  ///< the others
};

inline constexpr std::uint64_t default_disk_size = 20ULL << 30;

/// Makes the VM: its file, and in its data directory an overlay over the image (which loses its
/// write permission when it is this user's), or an empty disk beside the CD-ROM. `progress` is told
/// how far the reading of the image is, which the first VM of it needs. Returns what the user
/// should know, a line each. Throws a LauncherError; then nothing is left.
std::vector<std::string> make_vm(const NewVm& vm, const Progress& progress = {});

}  // namespace tapgate
