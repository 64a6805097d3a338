// SPDX-License-Identifier: GPL-2.0-or-later
//
// A tap that its holder made persistent stays a port of the bridge after every process is gone.
// Such a tap, one of tapgate's without a queue attached, is stale, and is removed here.
#ifndef TAPGATE_HELPER_STALE_H
#define TAPGATE_HELPER_STALE_H

#include <string>
#include <vector>

#include "helper/link.h"

namespace tapgate {

/// So many ports a start looks at, so that it takes the same time however many there are.
constexpr size_t ports_looked_at = 128;

/// Removes those of the links `names` that are stale, and returns their names. One of tapgate's
/// without carrier looks stale, which proves nothing, since a live tap's holder can turn the
/// carrier off. So each such one is attached to: the kernel says EBUSY while anybody has it open.
/// Then it is made to go when it is closed, and closed. A tap that is in use, or comes into use
/// meanwhile, is never taken from its user. Needs CAP_NET_ADMIN. Failures are not reported: a stale
/// tap that stays is the next run's.
std::vector<std::string> reap_stale(const LinkSocket& links, const std::vector<std::string>& names);

/// Those of a bridge's `ports` (LinkSocket::ports()) that are named as taps are and have no
/// carrier. Where there are more than ports_looked_at, it looks at so many in a row, from any one
/// on.
std::vector<std::string> stale_by_looks(const LinkSocket& links, const std::vector<int>& ports);

}  // namespace tapgate

#endif
