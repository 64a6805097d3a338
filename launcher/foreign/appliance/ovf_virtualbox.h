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
    std::string mac;  ///< as written; empty if not given
    bool cable = true;
    std::string type;  ///< QEMU has some of the same names
    bool nat = false;
    std::vector<std::string> forwards = {};  ///< ports of the guest, in the form of net=
    std::string left = {};                   ///< rules that forward nothing
};

/// The adapters of `system` that are there, in the order of the OVF hardware's.
std::vector<VirtualBoxAdapter> virtualbox_adapters(const pugi::xml_node& system);

/// A clock that the guest reads as local time.
void read_virtualbox_clock(const pugi::xml_node& system, Translation& translation);

}  // namespace tapgate
