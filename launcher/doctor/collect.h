// SPDX-License-Identifier: GPL-2.0-or-later
//
// What diagnose() judges, collected from this host. Changes nothing, and needs no privilege.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/doctor/facts.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The facts about this host and, if there is one, the VM. `bridges` are asked about; `helper` is a
/// path. Takes as long as QEMU and the helper need to answer, which has limits of its own. Throws a
/// LauncherError only when the kernel does not tell of its network.
DoctorFacts collect_facts(const std::optional<VmSpec>& vm, const std::vector<std::string>& bridges,
                          const std::string& helper);

}  // namespace tapgate
