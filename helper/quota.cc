// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/quota.h"

#include <algorithm>
#include <cerrno>

#include "helper/port_tag.h"

namespace tapgate {

Quota::Quota(unsigned max_taps, uid_t uid, int bridge, const std::vector<Link>& own)
    : max_taps_(max_taps), uid_(uid), bridge_(bridge), slots_(max_taps) {
    std::vector<std::string> names;
    for (unsigned slot = 0; slot < max_taps; slot++)
        names.push_back(slot_name(bridge, uid, slot));
    std::vector<std::ptrdiff_t> slots;  // of the user's taps; max_taps: none
    slots.reserve(own.size());
    for (const Link& tap : own)
        slots.push_back(std::find_first_of(names.begin(), names.end(), tap.altnames.begin(),
                                           tap.altnames.end()) -
                        names.begin());
    taken_ = static_cast<unsigned>(slots.size());
    // From the highest: the slot that one tap makes unavailable may be the next one's.
    std::sort(slots.rbegin(), slots.rend());
    for (const std::ptrdiff_t slot : slots)
        if (slots_ > 0 && slot >= slots_)
            slots_--;
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
