// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace tapgate {

/// Writes one line to the system log at /dev/log (facility authpriv, level info). Returns 0 when
/// the log has taken it, and also when this host has no log (there is no such socket, or nobody has
/// it open). Otherwise returns the errno: EAGAIN when there was no room for it for a second. (The
/// daemon's socket queues net.unix.max_dgram_qlen lines, and anybody can fill it.)
///
/// syslog(3) would not do: it reads the time zone file, builds a time stamp that every daemon
/// replaces, and does not say whether the line arrived.
[[nodiscard]] int audit(const std::string& line);

}  // namespace tapgate
