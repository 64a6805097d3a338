// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's command line, as a pure function of what the VM is, what the host is, and which
// descriptors QEMU inherits. Nothing is asked, opened or started here, so that a whole command line
// can be compared with what it should be.
//
// How a value gets in: as JSON where QEMU takes JSON (-device, -netdev, -object, -blockdev); with
// its commas doubled behind a written key where it does not; as an argument of its own otherwise.
// Images are opened with the drivers that are named here and no other: a file's name and content
// mean nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/qemu/argv_drives.h"
#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A file of the firmware's.
struct FirmwareFile {
    std::string path;
    ImageFormat format = ImageFormat::raw;
};

/// UEFI firmware for a VM.
struct UefiFiles {
    FirmwareFile code;
    FirmwareFile variables_template;
    std::string variables;  // the VM's own, a qcow2
    bool needs_smm = false;
};

/// What the command line needs to know of the host.
struct HostFacts {
    std::string qemu = "qemu-system-x86_64";
    Accelerator accelerator = Accelerator::tcg;  // unless the VM says otherwise
    std::string why_not_kvm;                     // empty: it works, or is not asked for
    Owner owner;
    std::string state_directory;  // the VM's sockets and files: its owner's, mode 0700
    std::string helper;           // of `-netdev bridge`
    std::map<std::string, unsigned> bridge_mtus;  // by the bridge's name
    std::optional<UefiFiles> uefi;                // when the VM's firmware is that
    std::string
        nested_feature;  // the CPU's that a guest needs for KVM: "vmx" or "svm"; may be empty
    bool nested_enabled = false;  // in the host's KVM
    HostDevices devices;
    /// MiB that TCG may have for translated code; nothing: as much as QEMU likes.
    std::optional<std::uint64_t> translated_code = std::nullopt;
};

/// What QEMU inherits for an adapter on a bridge: a tap descriptor for each queue and, with vhost,
/// as many of /dev/vhost-net.
struct NetFds {
    std::vector<int> taps;
    std::vector<int> vhosts;
};

/// The descriptors of a VM's adapters on bridges, in their order.
using VmFds = std::vector<NetFds>;

/// QEMU's argument vector, its name included. `fds`: nothing means that QEMU starts the helper
/// itself, for which it must run without its sandbox, since that takes the helper's privilege away.
/// Throws a LauncherError when the state directory's name is too long for a socket's.
std::vector<std::string> qemu_argv(const VmSpec& spec, const HostFacts& host,
                                   const std::optional<VmFds>& fds);

}  // namespace tapgate
