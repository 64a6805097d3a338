// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/stale.h"

#include <algorithm>

#include "helper/port_name.h"
#include "helper/process.h"
#include "helper/tap.h"

namespace tapgate {

bool remove_if_stale(const LinkSocket& links, const std::string& name) try {
    const auto owner = named_owner(name);
    // The alias is what only a port of ours has: a tap's holder cannot change it.
    return owner && !links.may_have_carrier(name) &&
           links.get(name).alias.starts_with(tag_of(*owner, std::nullopt)) &&
           remove_unused_tap(name);
} catch (const LinkError&) {
    return false;  // it has gone
}

void remove_stale(const LinkSocket& links, const std::vector<int>& ports) {
    const size_t first = ports.size() > ports_looked_at ? random_value<size_t>() : 0;
    for (size_t i = 0; i < std::min(ports.size(), ports_looked_at); i++)
        remove_if_stale(links, links.name_of(ports[(first % ports.size() + i) % ports.size()]));
}

}  // namespace tapgate
