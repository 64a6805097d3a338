// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.h"
#include "launcher/network/guest_addresses.h"

namespace tapgate {

/// A connection to the server. Throws a LauncherError.
UniqueFd connect_to(const SshTarget& target);

/// Carries what comes in on stdin to `socket`, and what comes from there to stdout, until the
/// socket is at its end. What ssh's ProxyCommand is for.
void relay(const UniqueFd& socket);

}  // namespace tapgate
