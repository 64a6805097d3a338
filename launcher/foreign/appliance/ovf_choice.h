// SPDX-License-Identifier: GPL-2.0-or-later
//
// Chooses one of an OVF descriptor's VMs, and one of its configurations.
#pragma once

#include <pugixml.hpp>
#include <string>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// The word by which to ask for a <VirtualSystem>: its id, or its name if it has none.
std::string ovf_id(const pugi::xml_node& system);

/// The <VirtualSystem> whose id or name is `wish`, or without a wish the only one, however many
/// collections it is in. Names in `translation` what is around and beside it. Throws a
/// LauncherError, which calls the descriptor `source`, if there is none, or if there are several
/// and no wish.
pugi::xml_node choose_ovf_system(const pugi::xml_node& envelope, const std::string& wish,
                                 const std::string& source, Translation& translation);

/// The id of the configuration `wish`, or without a wish of the default one; empty if the
/// descriptor has none. Throws a LauncherError, which calls the descriptor `source`, if there is no
/// such configuration.
std::string choose_ovf_configuration(const pugi::xml_node& envelope, const std::string& wish,
                                     const std::string& source, Translation& translation);

}  // namespace tapgate
