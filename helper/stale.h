// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plain tap that its holder has made persistent stays a port of the bridge when every process is
// gone. A tap that is tapgate's by its name and alias, and that nobody has open, is called stale
// and is removed here. (A contained tap goes with its namespace.)
#pragma once

#include <string>

#include "helper/link.h"

namespace tapgate {

/// Removes the link called `name` if it is stale, but never one that is in use. Returns whether it
/// was removed. Needs CAP_NET_ADMIN. Throws Failure when /dev/net/tun cannot be opened.
bool remove_if_stale(const LinkSocket& links, const std::string& name);

}  // namespace tapgate
