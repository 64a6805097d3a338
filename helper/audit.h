// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_AUDIT_H
#define TAPGATE_HELPER_AUDIT_H

#include <string>

namespace tapgate {

/// Writes one line to the system log (facility authpriv, level info) when a log daemon listens on
/// /dev/log, and never waits for it. A host without a log, or with a stuck one, still gets its VM.
///
/// Not syslog(3): that reads the time zone's file and builds a time stamp which every daemon
/// replaces.
void audit(const std::string& line);

}  // namespace tapgate

#endif
