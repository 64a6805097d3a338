// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an appliance says about the boot order: VMware has its own sections for it, and VirtualBox
// its own words for the machine.
#pragma once

#include <pugixml.hpp>

namespace tapgate {

struct OvfBoot {
    pugi::xml_node disk;  ///< VMware's section for the first disk; empty if there is none
    /// VMware's section, or VirtualBox's word, that puts the network before the disks; empty if
    /// there is none.
    pugi::xml_node net;
};

OvfBoot read_ovf_boot(const pugi::xml_node& system);

}  // namespace tapgate
