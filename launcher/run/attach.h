// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate attach` and `detach`: disks, CDs and network adapters of a running VM.
#pragma once

#include <chrono>
#include <string>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

struct AttachOptions {
    std::string helper;  ///< empty: the installed one
    bool force = false;  ///< even if the guest has locked the CD in the drive
    bool save = false;   ///< also write it to the VM's file
};

/// Gives the running VM what `setting` describes, whose key is disk, net or cdrom. `running` is the
/// VM as it was started. Returns the device that the guest now has: "disk1". Throws a
/// LauncherError, and then has changed nothing.
std::string attach_device(const VmSpec& running, const Setting& setting,
                          const AttachOptions& options);

struct DetachOptions {
    std::chrono::milliseconds limit{30000};  ///< for the guest to let go of it
    bool force = false;                      ///< of a CD: even if the guest has locked it
    bool save = false;
};

/// Removes the device `word`: "disk1", "nic1", "cdrom0", or the absolute path of a disk's file.
/// Throws a LauncherError; the device may then still go later, when the guest lets go of it.
void detach_device(const VmName& name, const std::string& word, const DetachOptions& options);

}  // namespace tapgate
