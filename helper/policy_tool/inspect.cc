// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy_tool/inspect.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "helper/failure.h"

namespace tapgate {

namespace {

std::string describe_skipped(const SkippedInclude& skipped) {
    return skipped.place.str() + ": " + printable(skipped.file, long_text) +
           " is left out: " + error_text(skipped.error) + "\n";
}

// What a rule gives away with the word `plain`, or without any limit or port option.
constexpr const char* plain_gives =
    "whoever has a plain tap can take any machine's MAC address on the bridge, this host's too, "
    "and "
    "keep the tap when the VM is gone";

// What an `allow` lets its user have, one line for each thing.
std::string describe_limits(const Rule& rule) {
    std::string text;
    const auto say = [&](const std::string& line) { text += "  " + line + "\n"; };
    if (const auto taps = rule.limits.max_taps)
        say("at most " + std::to_string(*taps) + (*taps == 1 ? " tap" : " taps") + " at a time");
    if (const auto queues = rule.limits.queues)
        say("at most " + std::to_string(*queues) + (*queues == 1 ? " queue" : " queues") +
            " a tap");
    else if (!rule.contained())
        say("at most 1 queue a tap");
    if (rule.port.isolated)
        say("isolated: other isolated ports cannot be reached");
    if (rule.port.guard)
        say("guard: spanning tree messages from the guest shut the port, or are dropped");
    if (const auto& lock = rule.port.mac_lock)
        say("mac-lock: only the MAC address that --mac= names may send" +
            (lock->str().empty() ? "" : "; it begins with " + lock->str()));
    if (const auto vlan = rule.port.vlan)
        say("access port of VLAN " + std::to_string(*vlan));
    say(rule.contained() ? "contained: what is in the host's network is out of its holder's reach"
                         : "plain: the tap itself is in the host's network");
    return text;
}

bool is_subset(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
    return std::all_of(part.begin(), part.end(), [&](const std::string& name) {
        return std::find(whole.begin(), whole.end(), name) != whole.end();
    });
}

// Whether `other` is about every request that `rule` is about.
bool covers(const Rule& other, const Rule& rule) {
    if (other.bridge && other.bridge != rule.bridge)
        return false;
    if (other.who.empty())
        return true;
    return !rule.who.empty() && is_subset(rule.who.users, other.who.users) &&
           is_subset(rule.who.groups, other.who.groups);
}

// Finds the rule that leaves another without effect. A policy may have tens of thousands, so only
// those are looked at that are about everybody, or have a name of the other's.
class Shadows {
  public:
    explicit Shadows(const std::vector<Rule>& rules) : end_(rules.data() + rules.size()) {
        for (const Rule& rule : rules)
            for (const std::string& name : names_of(rule))
                rules_[{rule.action, rule.bridge, name}].push_back(&rule);
    }

    // The first that does that to `rule`, if any.
    [[nodiscard]] const Rule* of(const Rule& rule) const {
        // A deny needs no place; an allow, or a second deny of the same, counts only when it is
        // first.
        const Rule* first = first_covering(rule, Rule::Action::deny,
                                           rule.action == Rule::Action::deny ? &rule : end_);
        if (rule.action == Rule::Action::allow)
            first = std::min(first, first_covering(rule, Rule::Action::allow, &rule));
        return first == end_ ? nullptr : first;
    }

  private:
    using Key = std::tuple<Rule::Action, std::optional<InterfaceName>, std::string>;
    using Rules = std::vector<const Rule*>;  // in their order

    // Whom a rule is about. The name of everybody is "".
    static std::vector<std::string> names_of(const Rule& rule) {
        std::vector<std::string> names;
        for (const std::string& user : rule.who.users)
            names.push_back("user=" + user);
        for (const std::string& group : rule.who.groups)
            names.push_back("group=" + group);
        return names.empty() ? std::vector<std::string>{""} : names;
    }

    // The first rule with that action before `end` that covers `rule`; end_ when there is none.
    [[nodiscard]] const Rule* first_covering(const Rule& rule, Rule::Action action,
                                             const Rule* end) const {
        const Rule* first = end_;
        const auto look = [&](const Rules& rules) {
            for (const Rule* const other : rules) {
                if (other >= std::min(first, end))
                    return;
                if (covers(*other, rule))
                    first = other;
            }
        };
        for (const auto& bridge : {rule.bridge, std::optional<InterfaceName>()}) {
            look(rules_of({action, bridge, ""}));
            // A rule that covers it has all of its names, so searching by the rarest is enough.
            const Rules* rarest = nullptr;
            for (const std::string& name : names_of(rule))
                if (const Rules& rules = rules_of({action, bridge, name});
                    rarest == nullptr || rules.size() < rarest->size())
                    rarest = &rules;
            look(*rarest);
        }
        return first;
    }

    [[nodiscard]] const Rules& rules_of(const Key& key) const {
        static const Rules none;
        const auto at = rules_.find(key);
        return at == rules_.end() ? none : at->second;
    }

    const Rule* end_;
    std::map<Key, Rules> rules_;
};

// What check() says of one rule.
class RuleChecker {
  public:
    RuleChecker(const Policy& policy, const std::map<std::string, std::string>& private_files,
                NameService& names, const std::vector<HostBridge>& bridges)
        : shadows_(policy.rules), private_files_(private_files), names_(names), bridges_(bridges) {}

    std::string check(const Rule& rule) {
        text_.clear();
        if (const Rule* other = shadows_.of(rule))
            say(rule, printable(rule.text, long_text) + " has no effect: " + other->place.str() +
                          " decides first: " + printable(other->text, long_text));
        const auto closed = private_files_.find(rule.place.file);
        if (rule.action == Rule::Action::deny && closed != private_files_.end())
            say(rule,
                "this deny does not hold for users who cannot read the file: " + closed->second);
        for (const std::string& user : rule.who.users)
            check_name(rule, "user", user, [&] { return names_.user_id(user).has_value(); });
        for (const std::string& group : rule.who.groups)
            check_name(rule, "group", group, [&] { return names_.group_id(group).has_value(); });
        if (rule.bridge)
            check_bridge(rule, rule.bridge->str());
        if (rule.plain && (rule.limits.max_taps || rule.port.isolated || rule.port.guard ||
                           rule.port.mac_lock || rule.port.vlan))
            say(rule, std::string("`plain' gives up what the other words are for: ") + plain_gives);
        return text_;
    }

  private:
    void say(const Rule& rule, const std::string& what) {
        text_ += rule.place.str() + ": " + what + "\n";
    }

    template <typename Known>
    void check_name(const Rule& rule, const char* kind, const std::string& name,
                    const Known& known) {
        if (whole_number(name))
            return;  // an id need not have a name
        try {
            if (!known())
                say(rule, std::string("there is no ") + kind + " `" + printable(name) + "'");
        } catch (const Failure& failure) {
            say(rule, failure.what());
        }
    }

    void check_bridge(const Rule& rule, const std::string& name) {
        const auto bridge = std::find_if(bridges_.begin(), bridges_.end(),
                                         [&](const HostBridge& b) { return b.name == name; });
        if (bridge == bridges_.end())
            say(rule, "there is no bridge " + printable(name) + " on this host now");
        else if (!rule.contained() && !rule.port.pin_bridge_mac && !bridge->fixed_address)
            say(rule, "a tap's holder can take over the MAC address of " + printable(name) +
                          ", which is not fixed: ip link set " + printable(name) + " address ...");
    }

    const Shadows shadows_;
    const std::map<std::string, std::string>& private_files_;
    NameService& names_;
    const std::vector<HostBridge>& bridges_;
    std::string text_;
};

}  // namespace

Report explain(const Policy& policy, const std::string& policy_file, const InterfaceName& bridge,
               const Asker& asker, NameService& names) {
    const Verdict verdict = policy.decide(bridge, asker, names);
    const std::string shown = printable(bridge.str());
    Report report;
    report.text = shown + (verdict.allowed ? ": allowed" : ": denied") + " for uid " +
                  std::to_string(asker.uid) + ": ";
    if (verdict.rule == nullptr)
        report.text += policy_file + ": no rule allows " + shown + "\n";
    else
        report.text += verdict.str(asker) + "\n";
    if (verdict.allowed)
        report.text += describe_limits(*verdict.rule);
    for (const SkippedInclude& skipped : policy.skipped)
        report.text += describe_skipped(skipped);
    report.exit_code = verdict.allowed ? 0 : 1;
    return report;
}

Report check(const std::string& path, const ReadPolicyFile& read_file, const WayIn& way_in,
             NameService& names, const std::vector<HostBridge>& bridges) {
    Report report;
    std::string plain;                                 // the rules that give plain taps
    std::map<std::string, std::string> private_files;  // and the ways in
    try {
        // A draft need not be owned by root yet: say so, and go on.
        const auto read_draft = [&](const std::string& name) {
            PolicyText file = read_file(name);
            if (!file.distrust.empty())
                report.text += std::exchange(file.distrust, {}) + "\n";
            if (std::string way = way_in(name); !way.empty())
                private_files.emplace(name, std::move(way));
            return file;
        };
        const Policy policy = parse_policy(path, read_draft);
        for (const SkippedInclude& skipped : policy.skipped)
            report.text += describe_skipped(skipped);
        RuleChecker checker(policy, private_files, names, bridges);
        for (const Rule& rule : policy.rules) {
            report.text += checker.check(rule);
            if (rule.action == Rule::Action::allow && !rule.contained())
                plain += (plain.empty() ? "" : ", ") + rule.place.str();
        }
        const bool allows =
            std::any_of(policy.rules.begin(), policy.rules.end(),
                        [](const Rule& r) { return r.action == Rule::Action::allow; });
        if (!allows)
            report.text += printable(path, long_text) + ": no rule allows any bridge\n";
    } catch (const Failure& failure) {
        report.text += std::string(failure.what()) + "\n";
    }
    report.exit_code = report.text.empty() ? 0 : 1;
    if (report.text.empty())
        report.text = printable(path, long_text) + ": no mistakes found\n";
    if (!plain.empty())
        report.note = "note: " + plain + ": " + plain_gives + "; `contain' prevents that\n";
    return report;
}

}  // namespace tapgate
