// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plain tap that its holder made persistent stays a port of the bridge after every process is
// gone. Such a one, by its name and its alias a port of tapgate's and not open, is stale, and is
// removed here.
// (A contained tap goes with its namespace.)
#pragma once

#include <string>

#include "helper/link.h"

namespace tapgate {

/// Removes the link `name` if it is stale; true when it was. Never one that is in use. Needs
/// CAP_NET_ADMIN. Throws Failure when /dev/net/tun cannot be opened.
bool remove_if_stale(const LinkSocket& links, const std::string& name);

}  // namespace tapgate
