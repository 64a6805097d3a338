// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an appliance's guest has drivers for, as far as the descriptor shows which system it is.
#pragma once

#include <pugixml.hpp>
#include <string>

namespace tapgate {

struct OvfGuest {
    std::string processor;      ///< the descriptor's word for it; empty for a PC's
    bool no_sata = false;       ///< DOS, or a Windows before 8 that was not installed on SATA
    bool only_rtl8139 = false;  ///< Windows before Vista, which has no driver for the other models
};

OvfGuest read_ovf_guest(const pugi::xml_node& system);

}  // namespace tapgate
