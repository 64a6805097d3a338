// SPDX-License-Identifier: GPL-2.0-or-later
//
// From the description of a VM to QEMU's process: gets taps from the helper, opens vhost, makes the
// command line, and starts the process with exactly these descriptors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/run/host.h"
#include "launcher/vm/spec.h"
#include "launcher/vm/state.h"

namespace tapgate {

/// A VM for which everything that QEMU needs is open, but QEMU has not been started.
struct PreparedVm {
    std::vector<std::string> argv;
    std::vector<UniqueFd> fds;  ///< they become QEMU's descriptors 3, 4, ...
    RunRecord record;
    std::vector<std::string> notes;  ///< what the user should know, a line for each thing
};

/// Checks and makes the VM's files, and gets its taps and vhost. An adapter whose bridge is not
/// available gets its fallback. With `plain_bridge`, QEMU gets its taps itself. Only for the holder
/// of the VM's lock. Throws a LauncherError; with ExitCode::refused and the helper's words when the
/// helper refuses.
PreparedVm prepare_vm(VmSpec spec, const HostFacts& host, bool plain_bridge);

/// The taps of one adapter, a descriptor for each queue, after making sure that nobody else has its
/// MAC address. `own_mac` means that the address is the VM's own, and not one from its description.
/// Throws a LauncherError.
std::vector<UniqueFd> adapter_taps(const VmName& vm, const BridgeNet& net, const MacAddress& mac,
                                   bool own_mac, const std::string& helper);

/// Writes the VM's record and starts QEMU, whose output goes to qemu.log in the VM's directory.
std::unique_ptr<ChildProcess> start_qemu(const VmName& name, const PreparedVm& vm);

/// The path of qemu.log.
std::string qemu_log_path(const VmName& name);

/// The end of QEMU's output, fit for a terminal; may be empty.
std::string qemu_words(const VmName& name);

}  // namespace tapgate
