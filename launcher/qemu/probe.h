// SPDX-License-Identifier: GPL-2.0-or-later
//
// What QEMU and KVM can do here, found out by starting them. The answers are kept in
// cache_directory() for as long as they are about the same program, host, kernel and boot, that KVM
// runs no guests for an hour; what cannot be read there is found out again.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace tapgate {

/// QEMU's absolute path: qemu-system-x86_64 in PATH, or qemu-kvm where RHEL has it. Throws a
/// LauncherError that says what to install.
std::string find_qemu();

struct QemuFacts {
    std::string version;                          ///< "7.2.22"
    std::map<std::string, std::string> machines;  ///< "q35" is "pc-q35-7.2", as is that itself
    std::vector<std::string> deprecated;          ///< machines that a later QEMU will not have
};

/// Asks the program `qemu` (absolute), 0.05 s when the answer is not known yet. Throws a
/// LauncherError with QEMU's own words.
QemuFacts qemu_facts(const std::string& qemu);

/// Empty when `qemu` runs guests under KVM with the CPU model `cpu` ("host"); otherwise why not, as
/// a part of a line. Proven by running a guest (kvm_guest.h), up to 3 s when that is not known yet;
/// the kernel's modules may be exchanged without anyone noticing until the next boot. `device` is
/// what has to open first.
std::string why_not_kvm(const std::string& qemu, const std::string& cpu,
                        const std::string& device = "/dev/kvm");

}  // namespace tapgate
