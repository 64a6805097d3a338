// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which of an OVF descriptor's VMs, and which of its configurations, is taken.
#pragma once

#include <pugixml.hpp>
#include <string>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// What a <VirtualSystem> is asked for by: its id, or its name where it has none.
std::string ovf_id(const pugi::xml_node& system);

/// The <VirtualSystem> whose id or name is `wish`, and for no wish the only one, however many
/// collections are around it; what is around and beside it is named in `translation`. Throws a
/// LauncherError, which calls the descriptor `source`, when there is none, and when there are
/// several and no wish.
pugi::xml_node choose_ovf_system(const pugi::xml_node& envelope, const std::string& wish,
                                 const std::string& source, Translation& translation);

/// The id of the configuration `wish`, and for no wish that of the default one; empty: the
/// descriptor has none. Throws a LauncherError, which calls the descriptor `source`, when it has no
/// such one.
std::string choose_ovf_configuration(const pugi::xml_node& envelope, const std::string& wish,
                                     const std::string& source, Translation& translation);

}  // namespace tapgate
