// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.h"
#include "launcher/network/guest_addresses.h"

namespace tapgate {

/// Connects to the server; the caller owns the socket. Throws a LauncherError.
UniqueFd connect_to(const SshTarget& target);

/// Copies stdin to `socket`, and what comes from there to stdout, until the socket reaches its end:
/// the work of ssh's ProxyCommand.
void relay(const UniqueFd& socket);

}  // namespace tapgate
