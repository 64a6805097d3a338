// SPDX-License-Identifier: GPL-2.0-or-later
//
// What VirtualBox says only in its own words for a machine: <vbox:Machine> beside the OVF hardware.
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

/// The adapters of `system` that are enabled, in the order of those in the OVF hardware.
std::vector<VirtualBoxAdapter> virtualbox_adapters(const pugi::xml_node& system);

/// Reads whether the guest's clock has local time.
void read_virtualbox_clock(const pugi::xml_node& system, Translation& translation);

}  // namespace tapgate
