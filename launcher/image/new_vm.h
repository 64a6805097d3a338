// SPDX-License-Identifier: GPL-2.0-or-later
//
// Makes a VM from an image that is not its own: somebody's golden image, a cloud image, an
// installer's CD-ROM. The image stays as it is, for any number of VMs and users.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"
#include "launcher/base/progress_bar.h"
#include "launcher/vm/setting.h"

namespace tapgate {

/// The VM to make.
struct NewVm {
    VmName name;
    /// An image, as a setting with the key "disk" would have it, or a CD-ROM ("cdrom").
    Setting from;
    /// The disk's size in bytes; nothing: the image's, or with a CD-ROM default_disk_size.
    std::optional<std::uint64_t> size;
    std::vector<Setting> settings;  ///< all other settings
};

inline constexpr std::uint64_t default_disk_size = 20ULL << 30;

/// Makes the VM: its file, and in its data directory an overlay on the image (which loses its write
/// permission if it is this user's), or an empty disk if the image is a CD-ROM. The first VM made
/// from an image reads all of it, and tells `progress` how far that is. Returns what the user
/// should know, a line for each thing. Throws a LauncherError, and then leaves nothing behind.
std::vector<std::string> make_vm(const NewVm& vm, const Progress& progress = {});

}  // namespace tapgate
