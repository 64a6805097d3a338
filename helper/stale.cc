// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/stale.h"

#include "helper/port_name.h"
#include "helper/tap.h"

namespace tapgate {

bool remove_if_stale(const LinkSocket& links, const std::string& name) try {
    const auto owner = named_owner(name);
    // Only our ports have the alias: the holder of a tap cannot set it.
    return owner && !links.may_have_carrier(name) &&
           links.get(name).alias.starts_with(tag_of(*owner)) && remove_unused_tap(name);
} catch (const LinkError&) {
    return false;  // it is gone
}

}  // namespace tapgate
