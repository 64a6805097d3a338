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

/// The path of the VM's file: NAME.conf in config_directory().
std::string vm_file_path(const VmName& name);

/// Whether that file exists.
bool has_vm_file(const VmName& name);

/// The value of `key` in the VM's file; nothing when the file does not set it or is not valid.
std::optional<std::string> vm_file_value(const VmName& name, std::string_view key);

/// The error for a name without a VM. It suggests the name that was probably meant, or how to make
/// the VM.
LauncherError no_such_vm(const VmName& name);

/// When there is a VM of this name already, throws a LauncherError that names the ways out.
void require_new(const VmName& name);

/// Makes the VM's file. Throws a LauncherError, also when there is now a VM of this name.
void write_new_vm_file(const VmName& name, std::string_view text);

/// The lock to hold while one of the user's files, or his crontab, is replaced by a changed
/// version: without it, one of two changes at the same time would be lost. Throws a LauncherError
/// when another process has it for 10 seconds.
UniqueFd lock_vm_files();

/// Replaces the text `before` of the VM's file by `after`. False when the file has another text by
/// now, which stays. Throws a LauncherError.
bool replace_vm_file(const VmName& name, std::string_view before, std::string_view after);

/// All VMs that have a file, in alphabetical order.
std::vector<VmName> vm_names();

/// The VM as the command line (`settings`), the environment and its file describe it. Throws a
/// LauncherError, also for a name without a file and without settings: that is a typo.
VmDescription load_vm(const VmName& name, const std::vector<Setting>& settings);

/// The VM as its file alone describes it. Throws as load_vm() does.
VmDescription load_vm_file(const VmName& name);

/// Like load_vm(), for a VM that has no file, or whose file must not be read.
VmDescription describe_unfiled_vm(const VmName& name, const std::vector<Setting>& settings);

}  // namespace tapgate
