// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace tapgate {

/// A vnc_address() in the form that viewers take: the path of a socket, or a URL.
std::string viewer_address(const std::string& address);

/// The command that calls `viewer` (vncviewer, remote-viewer, gvncviewer) for the address; empty
/// when it cannot be called: only vncviewer takes a socket.
std::vector<std::string> viewer_words(const std::string& viewer, const std::string& address);

}  // namespace tapgate
