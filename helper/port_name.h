// SPDX-License-Identifier: GPL-2.0-or-later
//
// A port's name says whose it is, and nobody but root can change it. So the names are the database
// of who has how many taps: it lives exactly as long as the ports, and the kernel tells the names
// of a bridge's ports ten times as fast as anything else about them.
//
// A name is also the slot that the port takes of its user's max-taps. The kernel gives out a name
// only once, in the very message that makes the device. So there is no lock that a stopped process
// could hold, and no moment when a device exists but does not count. A rule with max-taps=N has the
// slots 0 to N-1; rules without a limit use those from other_slots on.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The first slot for rules without a limit: greater than any max-taps, since a bridge has at most
/// 1023 ports (BR_MAX_PORTS in net/bridge/br_private.h).
constexpr unsigned other_slots = 1024;

/// How many slots a user has on a bridge: those for max-taps, and as many others.
constexpr unsigned slots_of_a_bridge = 2 * other_slots;

/// The name of the port in slot `slot` of `uid` on the bridge with ifindex `bridge`: "tap1000-6bk".
/// A uid of more than six digits is written in base 36: "tapqi6z_6bk". Throws Failure when the name
/// would be too long, which takes an ifindex above 800 for a uid above 2 billion, and one above
/// 29,000 for any other.
std::string port_name(uid_t uid, int bridge, unsigned slot);

/// The uid whose port has this name; nothing when it is not the name of such a port.
std::optional<uid_t> named_owner(std::string_view name);

/// The slots that a new port may take: `size` of them, from `begin` on. They are tried in turn,
/// starting with the `first` of them and wrapping around. None when the user has all his taps.
struct Slots {
    unsigned begin = 0;
    unsigned size = 0;
    unsigned first = 0;
};

/// The slots for one more port under max-taps=`limit`, of a user who has the ports called `own` on
/// the bridge with ifindex `bridge`. A port outside the limit's slots, made under another rule or
/// another limit, makes the last of these slots unavailable; a port that has this last slot then
/// counts as outside, too. So of any number of helpers at once, exactly as many get a slot as may.
Slots slots_within(unsigned limit, int bridge, const std::vector<std::string>& own);

/// The alias of tapgate's ports, for people to read: "tapgate uid=UID vm=NAME mac=MAC". What the
/// caller has not named is left out.
std::string tag_of(uid_t uid, const std::optional<VmName>& vm = std::nullopt,
                   const std::optional<MacAddress>& mac = std::nullopt);

}  // namespace tapgate
