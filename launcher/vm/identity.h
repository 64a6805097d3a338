// SPDX-License-Identifier: GPL-2.0-or-later
//
// What identifies a VM on the network and to its guest: the same at every start, and different for
// every VM.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/names.h"

namespace tapgate {

/// What the identity of a user's VMs is derived from.
struct Owner {
    std::string machine_id;
    uid_t uid = 0;
};

/// The MAC address of the VM's adapter `index`. It begins with 52:54:00, QEMU's prefix, which
/// policies name in `mac-lock=`.
MacAddress stable_mac(const Owner& owner, const VmName& vm, unsigned index);

/// The VM's UUID (version 8 of RFC 9562, for custom ones).
std::string stable_uuid(const Owner& owner, const VmName& vm);

}  // namespace tapgate
