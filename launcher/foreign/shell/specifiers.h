// SPDX-License-Identifier: GPL-2.0-or-later
//
// systemd units and desktop entries, also inside a script that writes them, turned into what a
// shell would read.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tapgate {

/// The text, with `%X' in its lines `ExecStart=' replaced by what the name of the unit's file says
/// ("kvm@web.service": `%i' is web), or by unknown_text. Before such a line comes a `cd' to the
/// WorkingDirectory= of its section. `Exec=' and `Path=' of a desktop entry are treated in the same
/// way. An EnvironmentFile= becomes what it sets; `lookup' has its text as "text PATH", or a null
/// pointer.
std::string with_units_as_script(std::string_view text, std::string_view file,
                                 const std::function<const char*(const std::string&)>& lookup);

}  // namespace tapgate
