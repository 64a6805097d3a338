// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/stale.h"

#include <sys/random.h>

#include <algorithm>

#include "helper/failure.h"
#include "helper/port_name.h"
#include "helper/tap.h"

namespace tapgate {

bool remove_if_stale(const LinkSocket& links, const std::string& name) {
    return named_owner(name) && !links.may_have_carrier(name) && remove_unused_tap(name);
}

void remove_stale(const LinkSocket& links, const std::vector<int>& ports) {
    size_t first = 0;
    if (ports.size() > ports_looked_at && getrandom(&first, sizeof first, 0) != sizeof first)
        fail_with_errno("failed to look for stale taps");
    for (size_t i = 0; i < std::min(ports.size(), ports_looked_at); i++)
        remove_if_stale(links, links.name_of(ports[(first % ports.size() + i) % ports.size()]));
}

}  // namespace tapgate
