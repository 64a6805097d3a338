// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the policy says, before anybody asks for a tap: the answer of tapgate-policy, which needs no
// privilege.
#pragma once

#include <string>

namespace tapgate {

/// What `tapgate-policy explain` says about a bridge and this user.
struct PolicyVerdict {
    bool answered = false;  ///< it ran, and reached a decision
    bool allowed = false;
    std::string text;  ///< its words, or why there are none
};

/// Asks tapgate-policy about the bridge: the one in the directory of the program `helper` if there
/// is one (as in a build), otherwise the installed one.
PolicyVerdict policy_verdict(const std::string& helper, const std::string& bridge);

}  // namespace tapgate
