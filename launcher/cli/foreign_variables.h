// SPDX-License-Identifier: GPL-2.0-or-later
//
// The UEFI variables of a VM from elsewhere, such as what its firmware boots.
#pragma once

#include <optional>

#include "launcher/foreign/appliance/image_import.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What notes call them.
constexpr const char* its_variables = "its UEFI variables";

/// The same variables; nothing, and a note in `translation`, if no firmware of this host can take
/// them for the VM.
std::optional<SourceImage> fitting_variables(const SourceImage& variables, const VmSpec& spec,
                                             Translation& translation);

/// The variables that `translation` names, if they can be read and fit; otherwise nothing, with a
/// note in `translation` unless it names none, or the VM has no UEFI.
std::optional<SourceImage> named_variables(Translation& translation, const VmSpec& spec);

}  // namespace tapgate
