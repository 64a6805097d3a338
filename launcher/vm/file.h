// SPDX-License-Identifier: GPL-2.0-or-later
//
// A user's VMs: the files NAME.conf in the configuration directory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/vm/description.h"
#include "launcher/vm/setting.h"

namespace tapgate {

/// Where the VM's file is: NAME.conf in config_directory().
std::string vm_file_path(const VmName& name);

/// Whether there is such a file.
bool has_vm_file(const VmName& name);

/// The value of `key` in the VM's file; nothing when it has none, or the file describes no VM.
std::optional<std::string> vm_file_value(const VmName& name, std::string_view key);

/// The error for a VM without one: with the name that was probably meant, or how one is made.
LauncherError no_such_vm(const VmName& name);

/// Throws a LauncherError when there is a VM of this name, with the ways out.
void require_new(const VmName& name);

/// Makes the VM's file. Throws a LauncherError, also when there is a VM of this name by now.
void write_new_vm_file(const VmName& name, std::string_view text);

/// Held while one of the user's files is exchanged for another text of it, or his crontab is: of
/// two tapgates at once the change of one would be lost. Throws a LauncherError when another has it
/// for 10 seconds.
UniqueFd lock_vm_files();

/// Gives the VM's file, which had the text `before`, the text `after`. False: it has another one by
/// now, which stays. Throws a LauncherError.
bool replace_vm_file(const VmName& name, std::string_view before, std::string_view after);

/// All VMs that have a file, in alphabetical order.
std::vector<VmName> vm_names();

/// The VM as the command line (`settings`), the environment and its file describe it. Throws a
/// LauncherError, also for a name without a file and without settings: that is a typing mistake.
VmDescription load_vm(const VmName& name, const std::vector<Setting>& settings);

/// The VM as its file alone describes it. Throws as load_vm() does.
VmDescription load_vm_file(const VmName& name);

/// As load_vm() for a VM that has no file, or whose file is not to be read.
VmDescription describe_unfiled_vm(const VmName& name, const std::vector<Setting>& settings);

}  // namespace tapgate
