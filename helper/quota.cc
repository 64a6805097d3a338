// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/quota.h"

#include <algorithm>
#include <cerrno>

#include "helper/port_tag.h"

namespace tapgate {

Quota::Quota(unsigned max_taps, uid_t uid, int bridge, const std::vector<Link>& ports)
    : max_taps_(max_taps), uid_(uid), bridge_(bridge), slots_(max_taps) {
    std::vector<const Link*> taps;
    for (const Link& port : ports)
        if (tagged_owner(port) == uid)
            taps.push_back(&port);
    taken_ = static_cast<unsigned>(taps.size());

    std::vector<std::string> names;
    for (unsigned slot = 0; slot < max_taps; slot++)
        names.push_back(slot_name(bridge, uid, slot));
    const auto has_slot = [&](const Link* tap) {
        const auto& altnames = tap->altnames;
        return std::find_first_of(altnames.begin(), altnames.end(), names.begin(),
                                  names.begin() + slots_) != altnames.end();
    };
    // Each slot that becomes unavailable may have a tap, which makes one more unavailable.
    for (unsigned available = max_taps; available > 0;) {
        const auto without = taken_ - std::count_if(taps.begin(), taps.end(), has_slot);
        available = without < max_taps ? static_cast<unsigned>(max_taps - without) : 0;
        if (available == slots_)
            break;
        slots_ = available;
    }
}

bool Quota::claim(const LinkSocket& links, const Tap& tap) const {
    for (unsigned slot = 0; slot < slots_; slot++) {
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
