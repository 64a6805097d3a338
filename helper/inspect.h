// SPDX-License-Identifier: GPL-2.0-or-later
//
// The modes that look at the policy and make nothing. They run without any privilege.
#ifndef TAPGATE_HELPER_INSPECT_H
#define TAPGATE_HELPER_INSPECT_H

#include <string>

#include "helper/policy.h"
#include "helper/policy_parser.h"
#include "helper/privileges.h"
#include "helper/request.h"

namespace tapgate {

/// What a mode has to say on stdout, and the exit code.
struct Report {
    std::string text;
    int exit_code = 0;
};

/// --explain: which rule decides about `bridge` for `caller`. Exit code 0: allowed, 1: denied.
Report explain(const Policy& policy, const std::string& policy_file, const InterfaceName& bridge,
               const Caller& caller);

/// --check: what is wrong, or looks wrong, in the policy that begins with `path`. Exit code 0:
/// nothing is; 1: something is. Never throws for a mistake in the policy: that is what it reports.
Report check(const std::string& path, const ReadPolicyFile& read_file);

}  // namespace tapgate

#endif
