// SPDX-License-Identifier: GPL-2.0-or-later
//
// What systemd replaces in its units: `%i' is the name that an instance was started with.
#ifndef TAPGATE_LAUNCHER_FOREIGN_SHELL_SPECIFIERS_H
#define TAPGATE_LAUNCHER_FOREIGN_SHELL_SPECIFIERS_H

#include <string>
#include <string_view>

namespace tapgate {

/// The text, with what `%X' in its lines `ExecStart=' stands for: by the name of the unit's file
/// ("kvm@web.service": `%i' is web), or unknown_text.
std::string without_specifiers(std::string_view text, std::string_view file);

}  // namespace tapgate

#endif
