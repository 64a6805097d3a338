// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM as the settings from all sources describe it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A VM and the settings it was made from, in the order of the table, including defaults.
struct VmDescription {
    VmSpec spec;
    std::vector<Setting> settings;
};

/// The settings in the environment. `lookup` is getenv(), or a test's function.
std::vector<Setting> environment_settings(
    const std::function<const char*(const std::string&)>& lookup, const std::string& directory);

/// Throws a LauncherError when the setting's value is wrong regardless of the VM's other settings.
void check_value(const Setting& setting);

/// The VM that the settings from all sources describe. Throws a LauncherError that names the place
/// of the setting that is wrong.
VmDescription describe_vm(const VmName& name, const std::vector<Setting>& settings);

}  // namespace tapgate
