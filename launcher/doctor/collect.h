// SPDX-License-Identifier: GPL-2.0-or-later
//
// Collects what diagnose() judges from this host. Changes nothing, and needs no privilege.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/doctor/facts.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The facts about this host and, if given, the VM. `bridges` are the bridges to check, and
/// `helper` is a path. Takes as long as QEMU and the helper need to answer, which is limited.
/// Throws a LauncherError only when the kernel does not describe its network.
DoctorFacts collect_facts(const std::optional<VmSpec>& vm, const std::vector<std::string>& bridges,
                          const std::string& helper);

}  // namespace tapgate
