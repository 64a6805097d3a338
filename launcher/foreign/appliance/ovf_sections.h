// SPDX-License-Identifier: GPL-2.0-or-later
//
// The parts of an OVF descriptor from which nothing is made.
#pragma once

#include <pugixml.hpp>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// Names the version of OVF in `translation` if it is one that nobody here has read, and what else
/// the envelope itself says.
void name_envelope(const pugi::xml_node& envelope, Translation& translation);

/// Names in `translation` each section of the descriptor and of its VM `system` from which nothing
/// was made, which excludes `read`, and everything in its hardware that is not an item.
void name_left_sections(const pugi::xml_node& envelope, const pugi::xml_node& system,
                        const std::vector<pugi::xml_node>& read, Translation& translation);

}  // namespace tapgate
