// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM as the settings of all sources describe it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A VM and the settings it was made from, in the table's order, defaults too.
struct VmDescription {
    VmSpec spec;
    std::vector<Setting> settings;
};

/// The settings in the environment. `lookup`: getenv(), or a test's.
std::vector<Setting> environment_settings(
    const std::function<const char*(const std::string&)>& lookup, const std::string& directory);

/// Throws a LauncherError when the setting's value is wrong whatever else the VM has.
void check_value(const Setting& setting);

/// The VM that the settings of all sources describe. Throws a LauncherError that names the place of
/// the setting that is wrong.
VmDescription describe_vm(const VmName& name, const std::vector<Setting>& settings);

}  // namespace tapgate
