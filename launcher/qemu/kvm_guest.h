// SPDX-License-Identifier: GPL-2.0-or-later
//
// The smallest guest that tells whether KVM runs guests here. A kernel offers /dev/kvm on hosts
// where guests then abort or crawl (KVM that emulates a guest kernel's instructions one by one,
// nested virtualization that is half there), so nothing less than running one proves it.
#pragma once

#include <string>

namespace tapgate {

/// A firmware image for `-bios`. It goes where a kernel goes (protected mode, paging, long mode),
/// works there with integers, memory and SSE for some 20 million rounds (0.2 s under TCG, less
/// under KVM), and sleeps until a timer's interrupt wakes it. Then it writes 0x2a to I/O port 0xf4.
/// Needs 1 MiB of memory.
std::string kvm_guest_rom();

/// QEMU's exit code when the image got to its end with `-device
/// isa-debug-exit,iobase=0xf4,iosize=1`.
constexpr int kvm_guest_exit_code = 0x2a << 1 | 1;

}  // namespace tapgate
