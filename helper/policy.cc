// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy.h"

#include "helper/failure.h"

namespace tapgate {

std::string Place::str() const {
    return printable_path(file) + ":" + std::to_string(line);
}

Verdict Policy::decide(const InterfaceName& bridge) const {
    const Rule* first_allow = nullptr;
    for (const Rule& rule : rules) {
        if (!rule.matches(bridge))
            continue;
        if (rule.action == Rule::Action::deny)
            return {.allowed = false, .rule = &rule};
        if (first_allow == nullptr)
            first_allow = &rule;
    }
    return {.allowed = first_allow != nullptr, .rule = first_allow};
}

std::string describe(const Verdict& verdict, const InterfaceName& bridge, const std::string& file) {
    if (verdict.rule == nullptr)
        return file + ": no rule allows " + printable(bridge.str());
    return verdict.rule->place.str() + ": " + printable(verdict.rule->text);
}

}  // namespace tapgate
