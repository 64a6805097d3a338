// SPDX-License-Identifier: GPL-2.0-or-later
//
// What of an OVF descriptor becomes nothing.
#pragma once

#include <pugixml.hpp>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// Names in `translation` each section of the descriptor and of its VM `system` that nothing is
/// made of, but for `read`, which something was made of; and what of its hardware is no item.
void name_left_sections(const pugi::xml_node& envelope, const pugi::xml_node& system,
                        const std::vector<pugi::xml_node>& read, Translation& translation);

}  // namespace tapgate
