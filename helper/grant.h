// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a rule gives: the use of a bridge, and so many taps of so many queues.
#ifndef TAPGATE_HELPER_GRANT_H
#define TAPGATE_HELPER_GRANT_H

#include <string>

#include "helper/link.h"
#include "helper/policy.h"
#include "helper/privileges.h"
#include "helper/request.h"
#include "helper/tap.h"

namespace tapgate {

/// The rule of `policy` that lets `asker` use the bridge that `request` is about. Throws Failure
/// ("access denied by acl file: ...") when there is none, or the request goes beyond it.
const Rule& require_permission(const Policy& policy, const Asker& asker, const Request& request,
                               NameService& names);

/// A new tap of the caller's for `bridge`, within the limits of `rule`; down, and not yet a port.
/// Removes the bridge's stale taps first. Needs CAP_NET_ADMIN. Throws Failure, also when the caller
/// has all the taps that the rule gives.
Tap create_permitted_tap(const LinkSocket& links, const Link& bridge, const Rule& rule,
                         const Caller& caller, const Request& request);

/// Why this process has no CAP_NET_ADMIN, and what its administrator can do about it.
std::string why_unprivileged(const Caller& caller);

}  // namespace tapgate

#endif
