// SPDX-License-Identifier: GPL-2.0-or-later
//
// The process that a VM runs under: starts QEMU, holds the VM's lock for as long as QEMU lives,
// turns signals into the guest's power button, and tells how it ended.
//
// It keeps no connection to QMP open, since QEMU has one client at a time, and the other verbs want
// to be that. When it is killed QEMU goes on, and the other verbs work as before.
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
    bool quiet = false;  ///< no notes of what could be better
    /// The terminal has the guest's console; not when it is nobody's (a job).
    bool console = true;
    PowerDown::Limits limits = {};
    /// In the background: no console, and one byte goes to this descriptor when the guest runs;
    /// from then on what there is to say goes to qemu.log. None: in the foreground.
    UniqueFd ready = {};
    /// What `tapgate restart` starts it with again: RunRecord::words.
    std::vector<std::string> words = {};
};

/// Runs the VM until it ends. Returns done when the guest shut down, failed when it
/// lost its power. Throws a LauncherError when it cannot be started or QEMU fails.
ExitCode supervise(const VmSpec& spec, SuperviseOptions options);

}  // namespace tapgate
