// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM as the descriptor of an appliance (OVF 1), for other hypervisors. They know neither virtio
// nor the bridges of this host, so it gets controllers for its disks, and models of adapters, that
// all of them have.
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

/// The descriptor, which also names `others`. The MAC addresses are derived from `owner`, the VM's.
std::string ovf_text(const VmSpec& spec, const Owner& owner, const std::vector<OvfDisk>& disks,
                     const std::vector<OvfFile>& others);

}  // namespace tapgate
