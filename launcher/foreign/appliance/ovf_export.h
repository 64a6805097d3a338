// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM as the descriptor of an appliance (OVF 1), for other hypervisors. They know neither virtio
// nor a bridge of this host's: its disks are on controllers, and its adapters models, that all
// have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A file of the appliance.
struct OvfFile {
    std::string name;
    std::uint64_t size = 0;
};

/// A disk: a streamOptimized vmdk.
struct OvfDisk {
    OvfFile file;
    std::uint64_t capacity = 0;  ///< in bytes, as seen by the guest
    DiskBus bus = DiskBus::virtio;
};

/// The descriptor, which also names `others`. `owner`: whose VM it is, which its MAC addresses are
/// made of.
std::string ovf_text(const VmSpec& spec, const Owner& owner, const std::vector<OvfDisk>& disks,
                     const std::vector<OvfFile>& others);

}  // namespace tapgate
