// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/stale.h"

#include <sys/random.h>

#include <algorithm>

#include "helper/failure.h"
#include "helper/port_tag.h"
#include "helper/tap.h"

namespace tapgate {

namespace {

bool is_stale_by_looks(const Link& link) {
    return tagged_owner(link) && !link.carrier && link.queues == 0;
}

// Whether `name` was stale, and has gone; or goes when whoever has attached to it at the last
// moment closes it.
bool reap(const LinkSocket& links, const std::string& name) {
    const Link found = links.get(name);
    if (!is_stale_by_looks(found))
        return false;
    // A tap of one queue cannot be attached to while it is in use; to a multiqueue tap this adds a
    // queue, and it is in use when that is not its only one.
    const Tap tap = Tap::attach(found);
    const Link attached = links.get(name);
    const bool same = attached.index == found.index && tagged_owner(attached);
    if (!same || attached.queues > 1)
        return false;  // it went, and the name is another's now; or it came into use
    tap.make_transient();
    return true;
}

}  // namespace

std::vector<std::string> reap_stale(const LinkSocket& links,
                                    const std::vector<std::string>& names) {
    std::vector<std::string> reaped;
    for (const std::string& name : names) {
        try {
            if (reap(links, name))
                reaped.push_back(name);
        } catch (const LinkError&) {
            continue;  // gone already
        } catch (const Failure&) {
            continue;  // in use
        }
    }
    return reaped;
}

std::vector<std::string> stale_by_looks(const LinkSocket& links, const std::vector<int>& ports) {
    size_t first = 0;
    if (ports.size() > ports_looked_at && getrandom(&first, sizeof first, 0) != sizeof first)
        fail_with_errno("failed to look for stale taps");
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min(ports.size(), ports_looked_at); i++) {
        std::string name = links.name_of(ports[(first % ports.size() + i) % ports.size()]);
        if (is_tap_name(name) && !links.may_have_carrier(name))
            names.push_back(std::move(name));
    }
    return names;
}

}  // namespace tapgate
