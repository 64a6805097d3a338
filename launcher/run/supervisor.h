// SPDX-License-Identifier: GPL-2.0-or-later
//
// The process that a VM runs under. It starts QEMU, holds the VM's lock for as long as QEMU lives,
// turns signals into presses of the guest's power button, and says how the VM ended.
//
// It keeps no connection to QMP open, since QEMU has one client at a time and the other verbs need
// that place. If it is killed, QEMU goes on, and the other verbs work as before.
#pragma once

#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/run/power_down.h"
#include "launcher/vm/spec.h"

namespace tapgate {

struct SuperviseOptions {
    std::string helper;  ///< empty: the installed one
    bool plain_bridge = false;
    bool quiet = false;  ///< no notes about what could be better
    /// The terminal shows the guest's console. Not when nobody sits there (a batch job).
    bool console = true;
    PowerDown::Limits limits = {};
    /// For a VM in the background: there is no console; one byte goes to this descriptor when the
    /// guest runs, and from then on messages go to qemu.log. None for one in the foreground.
    UniqueFd ready = {};
    /// What `tapgate restart` starts the VM with again: RunRecord::words.
    std::vector<std::string> words = {};
};

/// Runs the VM until it ends. Returns done when the guest has shut down, and failed when its power
/// was cut. Throws a LauncherError when the VM cannot be started or QEMU fails.
ExitCode supervise(const VmSpec& spec, SuperviseOptions options);

}  // namespace tapgate
