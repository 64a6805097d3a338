// SPDX-License-Identifier: GPL-2.0-or-later
//
// The policy as data, and the decision as a pure function of it. How a policy is written and read
// is the business of policy_parser.h and policy_file.h.
#ifndef TAPGATE_HELPER_POLICY_H
#define TAPGATE_HELPER_POLICY_H

#include <optional>
#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// Where something stands in a policy file. Lines count from 1.
struct Place {
    std::string file;
    unsigned line = 0;

    /// "FILE:LINE", fit for a message.
    [[nodiscard]] std::string str() const;
};

/// One `allow` or `deny` line.
struct Rule {
    enum class Action { allow, deny };

    Action action = Action::deny;
    std::optional<InterfaceName> bridge;  ///< nothing: `all`
    Place place;
    std::string text;  ///< the line as it is written, blanks at both ends cut

    [[nodiscard]] bool matches(const InterfaceName& asked) const {
        return !bridge || *bridge == asked;
    }
};

/// The answer to a request, and the rule that decided it.
struct Verdict {
    bool allowed = false;
    const Rule* rule = nullptr;  ///< owned by the Policy; none when no rule matches
};

/// An included file that was left out, since the caller cannot read it or it is not there.
struct SkippedInclude {
    Place place;       ///< the include line
    std::string file;  ///< what it names, made absolute
    int error;         ///< why: an errno
};

struct Policy {
    std::vector<Rule> rules;  ///< in the order of reading, includes in their place
    std::vector<SkippedInclude> skipped;

    /// A matching `deny` wins wherever it stands; otherwise the first matching `allow` decides;
    /// otherwise the request is denied.
    [[nodiscard]] Verdict decide(const InterfaceName& bridge) const;
};

/// The place and the rule that decided, or that there is none, as it ends the line of a refusal:
/// "/etc/qemu/bridge.conf:7: deny br0".
std::string describe(const Verdict& verdict, const InterfaceName& bridge, const std::string& file);

}  // namespace tapgate

#endif
