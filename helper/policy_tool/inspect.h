// SPDX-License-Identifier: GPL-2.0-or-later
//
// What tapgate-policy says about the policy. This is no part of tapgate-helper, and changes
// nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "helper/policy.h"
#include "helper/policy_parser.h"

namespace tapgate {

/// What is printed on stdout, and the exit code.
struct Report {
    std::string text;
    std::string note = {};  ///< printed after the text: not a mistake, but good to know
    int exit_code = 0;
};

/// Says which rule decides about `bridge` for `asker`, and what it lets the asker have. The exit
/// code is 0 when the asker is allowed, 1 when denied. Throws Failure when a name cannot be looked
/// up.
Report explain(const Policy& policy, const std::string& policy_file, const InterfaceName& bridge,
               const Asker& asker, NameService& names);

/// A bridge of this host.
struct HostBridge {
    std::string name;
    bool fixed_address;  ///< somebody has set its MAC address: see addresses_that_fix()
};

/// The command that lets every user read the file `path`; empty when all can.
using WayIn = std::function<std::string(const std::string& path)>;

/// Says what is wrong, or looks wrong, in the policy file `path` and what it includes. The exit
/// code is 0 when nothing is, and 1 otherwise. The note says what the holders of plain taps can do.
/// Never throws for a mistake in the policy, since that is what it reports.
Report check(const std::string& path, const ReadPolicyFile& read_file, const WayIn& way_in,
             NameService& names, const std::vector<HostBridge>& bridges);

}  // namespace tapgate
