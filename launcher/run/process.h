// SPDX-License-Identifier: GPL-2.0-or-later
//
// From the description of a VM to QEMU's process: taps from the helper, vhost, the command line,
// and the process with exactly these descriptors.
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

/// A VM with everything that QEMU needs open, and no QEMU yet.
struct PreparedVm {
    std::vector<std::string> argv;
    std::vector<UniqueFd> fds;  ///< QEMU's 3, 4, ...
    RunRecord record;
    std::vector<std::string> notes;  ///< what the user should know: one line each
};

/// Checks and makes the VM's files, and gets its taps and vhost; an adapter whose bridge cannot be
/// had gets its fallback. `plain_bridge`: QEMU gets its taps itself. Only for who holds the
/// VM's lock. Throws a LauncherError, ExitCode::refused with the helper's words when that said no.
PreparedVm prepare_vm(VmSpec spec, const HostFacts& host, bool plain_bridge);

/// The taps of one adapter, a descriptor for each queue, when nobody else has its address.
/// `own_mac`: that is the VM's own, and not one that its description has for it. Throws a
/// LauncherError.
std::vector<UniqueFd> adapter_taps(const VmName& vm, const BridgeNet& net, const MacAddress& mac,
                                   bool own_mac, const std::string& helper);

/// Writes the VM's record and starts QEMU. Its words go to qemu.log in the VM's directory.
std::unique_ptr<ChildProcess> start_qemu(const VmName& name, const PreparedVm& vm);

/// Where QEMU's words are.
std::string qemu_log_path(const VmName& name);

/// The last of QEMU's words, fit for a terminal; may be empty.
std::string qemu_words(const VmName& name);

}  // namespace tapgate
