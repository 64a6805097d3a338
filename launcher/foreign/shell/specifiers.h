// SPDX-License-Identifier: GPL-2.0-or-later
//
// systemd units and desktop entries, also inside a script that writes them, turned into what a
// shell would read.
#pragma once

#include <string>
#include <string_view>

#include "launcher/foreign/shell/surroundings.h"

namespace tapgate {

/// The text, with `%X' in its lines `ExecStart=' replaced by what the name of the unit's file says
/// ("kvm@web.service": `%i' is web), or by unknown_text. Before such a line comes a `cd' to the
/// WorkingDirectory= of its section. `Exec=' and `Path=' of a desktop entry are treated in the same
/// way. An EnvironmentFile= that can be read becomes what it sets.
std::string with_units_as_script(std::string_view text, std::string_view file,
                                 const Surroundings& surroundings);

}  // namespace tapgate
