// SPDX-License-Identifier: GPL-2.0-or-later
//
// The smallest guest that shows whether KVM runs guests here. Some kernels offer /dev/kvm where
// guests then abort or crawl (KVM that emulates a guest kernel's instructions one by one, or broken
// nested virtualization), so only running a guest proves that it works.
#pragma once

#include <string>

namespace tapgate {

/// A firmware image for `-bios`, which goes the way of a kernel: protected mode, paging, long mode.
/// There it works with integers, memory and SSE for some 20 million rounds (0.2 s under TCG, less
/// under KVM) and sleeps until a timer interrupt wakes it. Then it writes 0x2a to I/O port 0xf4. It
/// needs 1 MiB of memory.
std::string kvm_guest_rom();

/// QEMU's exit code when the image has reached its end, with `-device
/// isa-debug-exit,iobase=0xf4,iosize=1`.
constexpr int kvm_guest_exit_code = 0x2a << 1 | 1;

}  // namespace tapgate
