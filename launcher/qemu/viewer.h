// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace tapgate {

/// What viewers take for a vnc_address(): the path of a socket, or an URL.
std::string viewer_address(const std::string& address);

/// How `viewer` (vncviewer, remote-viewer, gvncviewer) is called for the address; empty when it
/// cannot be: only vncviewer takes a socket.
std::vector<std::string> viewer_words(const std::string& viewer, const std::string& address);

}  // namespace tapgate
