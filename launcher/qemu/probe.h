// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds out what QEMU and KVM can do here, by starting them. The answers are cached in
// cache_directory() for as long as program, host, kernel and boot are the same; that KVM does not
// work, for an hour. What cannot be read there is found out again.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace tapgate {

/// QEMU's absolute path: qemu-system-x86_64 in PATH, or qemu-kvm where RHEL puts it. Throws a
/// LauncherError that says what to install.
std::string find_qemu();

struct QemuFacts {
    std::string version;                          ///< "7.2.22"
    std::map<std::string, std::string> machines;  ///< "q35" and "pc-q35-7.2" to "pc-q35-7.2"
    std::vector<std::string> deprecated;          ///< machines that a later QEMU will drop
};

/// Asks the program `qemu` (an absolute path), which takes 0.05 s if the answer is not cached.
/// Throws a LauncherError with QEMU's own words.
QemuFacts qemu_facts(const std::string& qemu);

/// Empty when `qemu` runs guests under KVM with the CPU model `cpu` ("host"); otherwise why not, as
/// a part of a line. Proves it by running a guest (kvm_guest.h), which takes up to 3 s if the
/// answer is not cached. (If kernel modules are replaced, this goes unnoticed until the next boot.)
/// `device` must be possible to open.
std::string why_not_kvm(const std::string& qemu, const std::string& cpu,
                        const std::string& device = "/dev/kvm");

}  // namespace tapgate
