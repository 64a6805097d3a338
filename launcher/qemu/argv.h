// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's command line, as a pure function of what the VM is, what the host is, and which
// descriptors QEMU inherits. Nothing is looked up, opened or started here, so that a test can
// compare a whole command line with the expected one.
//
// How values are written: in JSON where QEMU takes JSON (-device, -netdev, -object, -blockdev);
// elsewhere after a literal key, with commas doubled; or as an argument of their own. Images are
// opened only with the drivers that are named here: QEMU does not guess from a file's name or
// content.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/qemu/argv_drives.h"
#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A file of UEFI firmware.
struct FirmwareFile {
    std::string path;
    ImageFormat format = ImageFormat::raw;
};

/// UEFI firmware for a VM.
struct UefiFiles {
    FirmwareFile code;
    FirmwareFile variables_template;
    std::string variables;  // the VM's own file, a qcow2
    bool needs_smm = false;
};

/// What the command line needs to know of the host.
struct HostFacts {
    std::string qemu = "qemu-system-x86_64";
    Accelerator accelerator = Accelerator::tcg;  // if the VM does not name one
    std::string why_not_kvm;                     // empty: KVM works, or is not asked for
    Owner owner;
    std::string state_directory;  // the VM's sockets and files; its owner's, mode 0700
    std::string helper;           // the helper for `-netdev bridge`
    std::map<std::string, unsigned> bridge_mtus;  // by the bridge's name
    std::optional<UefiFiles> uefi;                // if the VM's firmware is UEFI
    std::string
        nested_feature;  // the CPU feature that a guest needs for KVM: "vmx", "svm" or empty
    bool nested_enabled = false;  // in the host's KVM
    HostDevices devices;
    /// How many MiB TCG may use for translated code; nothing: as many as QEMU likes.
    std::optional<std::uint64_t> translated_code = std::nullopt;
};

/// What QEMU inherits for an adapter on a bridge: one tap descriptor for each queue and, with
/// vhost, as many descriptors of /dev/vhost-net.
struct NetFds {
    std::vector<int> taps;
    std::vector<int> vhosts;
};

/// The descriptors of a VM's adapters on bridges, in their order.
using VmFds = std::vector<NetFds>;

/// QEMU's argument vector, including its name. Without `fds`, QEMU starts the helper itself, and
/// then runs without its sandbox, which would take the helper's privilege away. Throws a
/// LauncherError when the name of the state directory is too long for a socket's path.
std::vector<std::string> qemu_argv(const VmSpec& spec, const HostFacts& host,
                                   const std::optional<VmFds>& fds);

}  // namespace tapgate
