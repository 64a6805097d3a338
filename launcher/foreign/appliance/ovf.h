// SPDX-License-Identifier: GPL-2.0-or-later
//
// The descriptor of an appliance (DMTF's Open Virtualization Format 0.9, 1 and 2): memory, CPUs,
// disks, adapters, firmware.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/appliance/ovf_disks.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

struct Appliance {
    /// Without disks: those are to be converted first.
    Translation translation;
    std::vector<ApplianceDisk> disks;  ///< in their order
};

/// What the user who imports it has asked for.
struct ApplianceWishes {
    bool virtio = false;  ///< the guest gets virtio adapters
    bool q35 = false;     ///< the machine is a q35, which has no IDE
    bool cpus = false;    ///< their number is given on the command line
    bool memory = false;  ///< so is its size
    std::string vm = {};  ///< the id or the name of one of several VMs; empty if there is only one
    std::string configuration = {};  ///< its id; empty for the default
};

/// Reads the descriptor `text`, which errors call `source`. Throws a LauncherError when it is not
/// OVF, when it has several VMs and no wish says which, for disks with a parent, and for files that
/// are elsewhere or in pieces.
Appliance read_ovf(std::string_view text, const std::string& source, ApplianceWishes wishes);

}  // namespace tapgate
