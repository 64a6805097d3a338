// SPDX-License-Identifier: GPL-2.0-or-later
//
// What tapgate-policy says: looks at the policy, and makes nothing. No part of tapgate-helper.
#pragma once

#include <string>
#include <vector>

#include "helper/policy.h"
#include "helper/policy_parser.h"

namespace tapgate {

/// What there is to say on stdout, and the exit code.
struct Report {
    std::string text;
    std::string note = {};  ///< behind the text: no mistake, but to be known
    int exit_code = 0;
};

/// Which rule decides about `bridge` for `asker`, and what it lets the asker have. Exit
/// code 0: allowed, 1: denied. Throws Failure when a name cannot be looked up.
Report explain(const Policy& policy, const std::string& policy_file, const InterfaceName& bridge,
               const Asker& asker, NameService& names);

/// A bridge of this host.
struct HostBridge {
    std::string name;
    bool fixed_address;  ///< see has_fixed_address() in bridge_port.h
};

/// What is wrong, or looks wrong, in the policy that begins with `path`. Exit code 0: nothing is;
/// 1: something is. The note is what the holders of plain taps can do. Never throws for a
/// mistake in the policy: that is what it reports.
Report check(const std::string& path, const ReadPolicyFile& read_file, NameService& names,
             const std::vector<HostBridge>& bridges);

}  // namespace tapgate
