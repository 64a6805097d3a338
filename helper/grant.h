// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether a caller may have what he asks for.
#pragma once

#include <string>

#include "helper/policy.h"
#include "helper/privileges.h"
#include "helper/request.h"

namespace tapgate {

/// The rule of `policy` that lets `asker` use the bridge that `request` names. Throws Failure
/// ("access denied by acl file: ...") when there is none, or when the request exceeds it.
const Rule& require_permission(const Policy& policy, const Asker& asker, const Request& request,
                               NameService& names);

/// Says why this process has no CAP_NET_ADMIN, and what the administrator can do about it.
std::string why_unprivileged(const Caller& caller);

}  // namespace tapgate
