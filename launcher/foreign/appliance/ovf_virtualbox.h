// SPDX-License-Identifier: GPL-2.0-or-later
//
// What VirtualBox says of a machine in its own words only: <vbox:Machine> beside the OVF hardware.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

struct VirtualBoxAdapter {
    std::string mac;  ///< as it is written there; empty: none is said
    bool cable = true;
    std::string type;  ///< QEMU has some of the same names
    bool nat = false;
    std::vector<std::string> forwards = {};  ///< to the guest's ports, as net= has them
    std::string left = {};                   ///< of those what is none
};

/// The adapters of `system` that are there, in the order of the OVF hardware's.
std::vector<VirtualBoxAdapter> virtualbox_adapters(const pugi::xml_node& system);

/// A clock that the guest reads as local time.
void read_virtualbox_clock(const pugi::xml_node& system, Translation& translation);

}  // namespace tapgate
