// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/grant.h"

#include <cerrno>

#include "common/fd_passing.h"
#include "helper/failure.h"
#include "helper/policy_file.h"

namespace tapgate {

const Rule& require_permission(const Policy& policy, const Asker& asker, const Request& request,
                               NameService& names) {
    const Verdict verdict = policy.decide(*request.bridge, asker, names);
    if (verdict.rule == nullptr)
        deny(std::string(installed_policy) + ": no rule allows " +
             printable(request.bridge->str()));
    if (!verdict.allowed)
        deny(verdict.str(asker));
    const bool contained = verdict.rule->contained();
    const unsigned most = contained ? verdict.rule->limits.queues.value_or(max_fds_in_message) : 1;
    if (request.queues > most)
        deny(verdict.rule->str() + ": --queues=" + std::to_string(request.queues) +
             " is more than " + std::to_string(most) +
             (contained ? "" : ", which is what a plain tap has (`contain' gives more)"));
    return *verdict.rule;
}

std::string why_unprivileged(const Caller& caller) {
    return error_text(EPERM) +
           (caller.no_new_privs
                ? ": started under no-new-privs, which takes tapgate-helper's privilege away "
                  "(QEMU's -sandbox on and some containers and services set it)"
                : ": tapgate-helper has no CAP_NET_ADMIN: as root, chmod 4755 it (or setcap "
                  "cap_net_admin=ep it), on a file system not mounted nosuid; or it is traced");
}

}  // namespace tapgate
