// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who a VM is on the wire and to its guest: the same at every start, another for every VM.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/names.h"

namespace tapgate {

/// What a VM's addresses are made of.
struct Owner {
    std::string machine_id;
    uid_t uid = 0;
};

/// The MAC address of the VM's adapter `index`, below 52:54:00, which is QEMU's and what policies
/// name in `mac-lock=`.
MacAddress stable_mac(const Owner& owner, const VmName& vm, unsigned index);

/// The VM's UUID (version 8 of RFC 9562: of one's own making).
std::string stable_uuid(const Owner& owner, const VmName& vm);

}  // namespace tapgate
