// SPDX-License-Identifier: GPL-2.0-or-later
//
// The firmware that an OVF descriptor asks for.
#pragma once

#include <pugixml.hpp>
#include <string_view>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// Sets it, or notes that it is the usual one. VMware writes it into a <Config> of the hardware,
/// and VirtualBox into its own machine; other <Config>s are named in a note.
void read_ovf_firmware(const pugi::xml_node& system, const pugi::xml_node& hardware,
                       const std::string& configuration, Translation& translation);

/// The machine that oVirt gives together with the firmware, "pc" or "q35"; empty if it gives none.
std::string_view ovirt_machine(const pugi::xml_node& system);

}  // namespace tapgate
