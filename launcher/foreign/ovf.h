// SPDX-License-Identifier: GPL-2.0-or-later
//
// The descriptor of an appliance (DMTF's Open Virtualization Format 0.9, 1 and 2): memory, CPUs,
// disks, adapters, firmware.
#ifndef TAPGATE_LAUNCHER_FOREIGN_OVF_H
#define TAPGATE_LAUNCHER_FOREIGN_OVF_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/translation.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A disk of an appliance.
struct ApplianceDisk {
    /// Of a file beside the descriptor or below it, or of a member of the same archive: without a
    /// leading "./", and without a ".." anywhere. Empty: the disk is blank.
    std::string file;
    ImageFormat format = ImageFormat::vmdk;
    bool compressed = false;     ///< with gzip
    std::uint64_t capacity = 0;  ///< in bytes, of a blank disk
};

struct Appliance {
    /// Without disks: those are to be converted first.
    Translation translation;
    std::vector<ApplianceDisk> disks;  ///< in their order
};

/// Reads the descriptor `text`, which errors call `source`. `virtio`: the guest is to have virtio
/// adapters. Of several configurations the default one is taken. Throws a LauncherError for what is
/// no OVF, for more than one VM, for disks with a parent, and for files that are elsewhere or in
/// pieces.
Appliance read_ovf(std::string_view text, const std::string& source, bool virtio);

}  // namespace tapgate

#endif
