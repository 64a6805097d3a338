// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/inspect.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "helper/failure.h"

namespace tapgate {

namespace {

std::string describe_skipped(const SkippedInclude& skipped) {
    return skipped.place.str() + ": " + printable_path(skipped.file) +
           " is left out: " + error_text(skipped.error) + "\n";
}

// The rule before `rule` that leaves it without effect, if any.
const Rule* shadowing(const std::vector<Rule>& rules, const Rule& rule) {
    const auto covers = [&](const Rule& other) {
        return &other != &rule && (!other.bridge || other.bridge == rule.bridge);
    };
    for (const Rule& other : rules) {
        if (!covers(other))
            continue;
        // A deny needs no place; an allow, or a second deny of the same, counts only when it is
        // first.
        const bool first = &other < &rule;
        if (other.action == Rule::Action::deny && (rule.action == Rule::Action::allow || first))
            return &other;
        if (other.action == Rule::Action::allow && rule.action == Rule::Action::allow && first)
            return &other;
    }
    return nullptr;
}

}  // namespace

Report explain(const Policy& policy, const std::string& policy_file, const InterfaceName& bridge,
               const Caller& caller) {
    const Verdict verdict = policy.decide(bridge);
    Report report;
    report.text = printable(bridge.str()) + (verdict.allowed ? ": allowed" : ": denied") +
                  " for uid " + std::to_string(caller.uid) + ": " +
                  describe(verdict, bridge, policy_file) + "\n";
    for (const SkippedInclude& skipped : policy.skipped)
        report.text += describe_skipped(skipped);
    report.exit_code = verdict.allowed ? 0 : 1;
    return report;
}

Report check(const std::string& path, const ReadPolicyFile& read_file) {
    Report report;
    try {
        // A draft need not be root's yet: say so, and go on.
        const auto read_draft = [&](const std::string& name) {
            PolicyText file = read_file(name);
            if (!file.distrust.empty())
                report.text += std::exchange(file.distrust, {}) + "\n";
            return file;
        };
        const Policy policy = parse_policy(path, read_draft);
        for (const SkippedInclude& skipped : policy.skipped)
            report.text += describe_skipped(skipped);
        for (const Rule& rule : policy.rules)
            if (const Rule* other = shadowing(policy.rules, rule))
                report.text += rule.place.str() + ": " + printable(rule.text) +
                               " has no effect: " + other->place.str() +
                               " decides first: " + printable(other->text) + "\n";
        const bool allows =
            std::any_of(policy.rules.begin(), policy.rules.end(),
                        [](const Rule& r) { return r.action == Rule::Action::allow; });
        if (!allows)
            report.text += printable_path(path) + ": no rule allows any bridge\n";
    } catch (const Failure& failure) {
        report.text += std::string(failure.what()) + "\n";
    }
    report.exit_code = report.text.empty() ? 0 : 1;
    if (report.text.empty())
        report.text = printable_path(path) + ": no mistakes found\n";
    return report;
}

}  // namespace tapgate
