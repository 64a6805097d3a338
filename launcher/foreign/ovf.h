// SPDX-License-Identifier: GPL-2.0-or-later
//
// The descriptor of an appliance (DMTF's Open Virtualization Format 1 and 2): memory, CPUs, disks,
// adapters.
#ifndef TAPGATE_LAUNCHER_OVF_H
#define TAPGATE_LAUNCHER_OVF_H

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/translation.h"

namespace tapgate {

struct Appliance {
    /// Without disks: those are to be converted first.
    Translation translation;
    /// The disks' files, in their order: plain names, of files beside the descriptor or of members
    /// of the same archive.
    std::vector<std::string> files;
};

/// Reads the descriptor `text`, which errors call `source`. `virtio`: the guest is to have virtio
/// adapters. Throws a LauncherError for what is no OVF, for more than one VM, and for files that
/// are elsewhere, compressed or in pieces.
Appliance read_ovf(std::string_view text, const std::string& source, bool virtio);

}  // namespace tapgate

#endif
