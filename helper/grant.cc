// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/grant.h"

#include <cerrno>
#include <vector>

#include "common/fd_passing.h"
#include "helper/failure.h"
#include "helper/policy_file.h"
#include "helper/port_tag.h"
#include "helper/quota.h"
#include "helper/stale.h"

namespace tapgate {

namespace {

constexpr const char* denied = "access denied by acl file: ";

Tap create_tap(const Caller& caller, const Request& request) {
    if (!caller.privileged)
        throw Failure("failed to create tun device: " + why_unprivileged(caller));
    return Tap::create(caller.uid, request.vnet_header, request.queues);
}

// Those of `ports` that are taps of `uid`'s, in detail. A port that is not named as ours are may
// have been renamed: its alias has the last word.
std::vector<Link> taps_of(const LinkSocket& links, const std::vector<int>& ports, uid_t uid) {
    std::vector<Link> taps;
    for (const int port : ports) {
        const std::string name = links.name_of(port);
        if (named_owner(name).value_or(uid) != uid)
            continue;
        try {
            Link link = links.get(name);
            if (tagged_owner(link) == uid)
                taps.push_back(std::move(link));
        } catch (const LinkError&) {
            continue;  // gone
        }
    }
    return taps;
}

// As long as one counts that is stale, no one is refused for it.
std::vector<Link> living_taps_of(const LinkSocket& links, const std::vector<int>& ports,
                                 uid_t uid) {
    std::vector<Link> taps = taps_of(links, ports, uid);
    std::vector<std::string> suspects;
    for (const Link& tap : taps)
        if (!tap.carrier)
            suspects.push_back(tap.name);
    // Asked again, not concluded: a tap of several queues may have come into use meanwhile.
    return reap_stale(links, suspects).empty() ? taps : taps_of(links, ports, uid);
}

[[noreturn]] void refuse_another_tap(const Rule& rule, const Caller& caller, const Link& bridge) {
    throw Failure(denied + rule.str() + ": uid " + std::to_string(caller.uid) +
                  " has all its taps on " + printable(bridge.name) + " already");
}

}  // namespace

const Rule& require_permission(const Policy& policy, const Asker& asker, const Request& request,
                               NameService& names) {
    const Verdict verdict = policy.decide(*request.bridge, asker, names);
    if (verdict.rule == nullptr)
        throw Failure(std::string(denied) + installed_policy + ": no rule allows " +
                      printable(request.bridge->str()));
    if (!verdict.allowed)
        throw Failure(denied + verdict.rule->str());
    const bool contained = verdict.rule->contained();
    const unsigned most = contained ? verdict.rule->limits.queues.value_or(max_fds_in_message) : 1;
    if (request.queues > most)
        throw Failure(denied + verdict.rule->str() + ": --queues=" +
                      std::to_string(request.queues) + " is more than " + std::to_string(most) +
                      (contained ? "" : ", which is what a plain tap has (`contain' gives more)"));
    return *verdict.rule;
}

std::string why_unprivileged(const Caller& caller) {
    const std::string text = error_text(EPERM);
    if (caller.no_new_privs)
        return text +
               ": started under no-new-privs, which takes tapgate-helper's privilege away (QEMU's "
               "-sandbox on and some containers and services set it)";
    return text +
           ": tapgate-helper has no CAP_NET_ADMIN: as root, chmod 4755 it (or setcap "
           "cap_net_admin=ep it), on a file system that is not mounted nosuid";
}

Tap create_permitted_tap(const LinkSocket& links, const Link& bridge, const Rule& rule,
                         const Caller& caller, const Request& request) {
    const std::vector<int> ports = links.ports(bridge.name);
    reap_stale(links, stale_by_looks(links, ports));
    if (!rule.limits.max_taps)
        return create_tap(caller, request);
    const Quota quota(*rule.limits.max_taps, caller.uid, bridge.index,
                      living_taps_of(links, ports, caller.uid));
    if (quota.is_full())
        refuse_another_tap(rule, caller, bridge);
    Tap tap = create_tap(caller, request);
    if (!quota.claim(links, tap))
        refuse_another_tap(rule, caller, bridge);
    return tap;
}

}  // namespace tapgate
