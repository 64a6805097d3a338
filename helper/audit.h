// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace tapgate {

/// Writes one line to the system log (facility authpriv, level info) at /dev/log. Returns 0 when
/// the log has it, and when this host has no log: there is no such socket, or nobody has it open.
/// Otherwise an errno that says why not: EAGAIN, when there was no room for it for a second. (A
/// daemon's socket holds net.unix.max_dgram_qlen lines that it has not read yet, and anybody can
/// fill it.)
///
/// Not syslog(3): that reads the time zone's file, builds a time stamp which every daemon replaces,
/// and does not tell whether the line arrived.
[[nodiscard]] int audit(const std::string& line);

}  // namespace tapgate
