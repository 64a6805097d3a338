// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an appliance says of the order to boot from: VMware in sections of its own, VirtualBox in
// its own words of the machine.
#pragma once

#include <pugixml.hpp>

namespace tapgate {

struct OvfBoot {
    pugi::xml_node disk;  ///< VMware's section for the first disk; empty if there is none
    /// VMware's section, or VirtualBox's word, by which the network comes before the disks; empty:
    /// it does not.
    pugi::xml_node net;
};

OvfBoot read_ovf_boot(const pugi::xml_node& system);

}  // namespace tapgate
