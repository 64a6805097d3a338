// SPDX-License-Identifier: GPL-2.0-or-later
//
// Units of systemd and desktop entries, or what of a script writes some, as a shell would have
// them.
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// The text, with what `%X' in its lines `ExecStart=' stands for: by the name of the unit's file
/// ("kvm@web.service": `%i' is web), or unknown_text. In front of such a line is a `cd' to the
/// WorkingDirectory= of its section. `Exec=' and `Path=' of a desktop entry are read as these.
std::string with_units_as_script(std::string_view text, std::string_view file);

}  // namespace tapgate
