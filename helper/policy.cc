// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy.h"

#include <algorithm>

#include "helper/failure.h"

namespace tapgate {

std::string Place::str() const {
    return printable(file, long_text) + ":" + std::to_string(line);
}

std::string Rule::str() const {
    return place.str() + ": " + printable(text, long_text);
}

bool Rule::contained() const {
    const bool hardened = port.isolated || port.guard || port.mac_lock || port.vlan;
    return !plain && (contain || hardened || limits.max_taps || limits.queues);
}

std::optional<MacPrefix> MacPrefix::parse(std::string_view text) {
    // Fill the rest up: it is a prefix if the result is an address. The filler ends in 1, since a
    // prefix of zeroes must not become the all-zero address.
    constexpr std::string_view filler = "00:00:00:00:00:01";
    if (text.size() % 3 != 2 || text.size() > filler.size())
        return std::nullopt;
    const auto mac = MacAddress::parse(std::string(text).append(filler.substr(text.size())));
    if (!mac)
        return std::nullopt;
    return MacPrefix(mac->str().substr(0, text.size()));
}

bool MacPrefix::matches(const MacAddress& mac) const {
    return mac.str().compare(0, text_.size(), text_) == 0;
}

bool Selectors::match(const Asker& asker, bool as_owner, NameService& names) const {
    const auto is_asker = [&](const std::string& user) {
        // Unlike chown(1), a number is always an id, and never a name.
        const auto number = whole_number(user);
        const auto id = number ? number : names.user_id(user);
        // tapgate-lookup says "none" when it finds the name of the process's own uid. For a
        // subordinate uid that does not prove that the owner's name would have been found.
        if (!id && asker.owner)
            throw Failure("failed to look up user `" + printable(user) + "': uid " +
                          std::to_string(asker.uid) + " is a subordinate one");
        return id && (*id == asker.uid || (as_owner && *id == asker.account()));
    };
    const auto has_asker = [&](const std::string& group) {
        const auto number = whole_number(group);
        const auto id = number ? number : names.group_id(group);
        return id && std::find(asker.groups.begin(), asker.groups.end(), *id) != asker.groups.end();
    };
    return empty() || std::any_of(users.begin(), users.end(), is_asker) ||
           std::any_of(groups.begin(), groups.end(), has_asker);
}

std::string Verdict::str(const Asker& asker) const {
    if (allowed || rule->action == Rule::Action::deny)
        return rule->str();
    return rule->str() + ": uid " + std::to_string(asker.uid) + " is a subordinate one of uid " +
           std::to_string(asker.account()) + ", who has this";
}

Verdict Policy::decide(const InterfaceName& bridge, const Asker& asker, NameService& names) const {
    const Rule* first_allow = nullptr;
    for (const Rule& rule : rules) {
        // Cheap questions first: a name may have to be looked up across a network.
        const bool denying = rule.action == Rule::Action::deny;
        const bool matters = denying || first_allow == nullptr;
        if (!matters || !rule.is_about(bridge) || !rule.who.match(asker, true, names))
            continue;
        if (denying)
            return {.allowed = false, .rule = &rule};
        first_allow = &rule;
    }
    // A rule for the owner alone does not allow the asker anything, and no later rule may allow a
    // subordinate uid more than its owner has.
    const bool allowed =
        first_allow != nullptr && (!asker.owner || first_allow->who.match(asker, false, names));
    return {.allowed = allowed, .rule = first_allow};
}

}  // namespace tapgate
