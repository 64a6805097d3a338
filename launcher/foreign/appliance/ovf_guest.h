// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an appliance's guest has drivers for, as far as the descriptor tells which system it is.
#pragma once

#include <pugixml.hpp>
#include <string>

namespace tapgate {

struct OvfGuest {
    std::string processor;      ///< in the descriptor's words, of one that is no PC; empty: it is
    bool no_sata = false;       ///< DOS, and Windows before 8 where it was not installed on SATA
    bool only_rtl8139 = false;  ///< Windows before Vista: of the models it has this one's driver
};

OvfGuest read_ovf_guest(const pugi::xml_node& system);

}  // namespace tapgate
