// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/quota.h"

#include <algorithm>
#include <cerrno>

#include "helper/port_tag.h"

namespace tapgate {

Quota::Quota(unsigned max_taps, uid_t uid, int bridge, const std::vector<Link>& ports)
    : max_taps_(max_taps), uid_(uid), bridge_(bridge) {
    std::vector<std::string> slots;
    for (unsigned slot = 0; slot < max_taps; slot++)
        slots.push_back(slot_name(bridge, uid, slot));
    for (const Link& port : ports) {
        if (tagged_owner(port) != uid)
            continue;
        taken_++;
        const bool has_slot = std::find_first_of(port.altnames.begin(), port.altnames.end(),
                                                 slots.begin(), slots.end()) != port.altnames.end();
        if (!has_slot)
            without_slot_++;
    }
}

bool Quota::claim(const LinkSocket& links, const Tap& tap) const {
    for (unsigned slot = 0; slot + without_slot_ < max_taps_; slot++) {
        try {
            links.add_altname(tap.name(), slot_name(bridge_, uid_, slot));
            return true;
        } catch (const LinkError& error) {
            if (error.code().value() != EEXIST)
                throw;
        }
    }
    return false;
}

}  // namespace tapgate
