// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate attach and detach: disks, CDs and network adapters of a VM that runs.
#pragma once

#include <chrono>
#include <string>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

struct AttachOptions {
    std::string helper;  ///< empty: the installed one
    bool force = false;  ///< although the guest has locked the CD that is there
    bool save = false;   ///< write it to the VM's file, too
};

/// Gives the VM that runs what `setting` describes, of the key disk, net or cdrom; `running`: as it
/// was started. Returns what the guest has now: "disk1". Throws a LauncherError; all is as before
/// then.
std::string attach_device(const VmSpec& running, const Setting& setting,
                          const AttachOptions& options);

struct DetachOptions {
    std::chrono::milliseconds limit{30000};  ///< for the guest to let go
    bool force = false;                      ///< of a CD: although the guest has locked it
    bool save = false;
};

/// Takes the device `word` away: "disk1", "nic1", "cdrom0", or a disk's file, absolute. Throws a
/// LauncherError; the device may go later then, when the guest lets go.
void detach_device(const VmName& name, const std::string& word, const DetachOptions& options);

}  // namespace tapgate
