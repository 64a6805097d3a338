// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a port says whose it is: by its name, which nobody but root can change. The names are the
// database of who has how many taps: it lives exactly as long as the ports, and is counted by
// asking the kernel for the names of a bridge's ports, ten times as fast as for anything else.
//
// A name is also the slot that its port takes of its user's max-taps. The kernel gives a name once,
// and gives it in the very message that makes the device; so there is no lock that a stopped
// process could hold, and no moment at which a device is there that does not count. A rule with
// max-taps=N has the slots 0 to N-1; other rules take theirs from other_slots on.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// Above all that max-taps can be: a bridge has 1023 ports (BR_MAX_PORTS in
/// net/bridge/br_private.h).
constexpr unsigned other_slots = 1024;

/// So many slots has a user on a bridge: those of max-taps, and as many others.
constexpr unsigned slots_of_a_bridge = 2 * other_slots;

/// The name of the port in the `slot`th slot of `uid`'s on the bridge with ifindex `bridge`:
/// "tap1000-6bk". uids of more than six digits are written to the base of 36: "tapqi6z_6bk". Throws
/// Failure when there is no room for all three (only ifindices beyond 800 of uids beyond 2 billion,
/// and beyond 29,000 of others').
std::string port_name(uid_t uid, int bridge, unsigned slot);

/// Whose port that is; nothing when it is not such a name.
std::optional<uid_t> named_owner(std::string_view name);

/// Which slots a new port may take: `size` of them from `begin` on, tried from the `first`th,
/// around. None: the user has all its taps.
struct Slots {
    unsigned begin = 0;
    unsigned size = 0;
    unsigned first = 0;
};

/// The slots for one more port of a user who has those called `own` on the bridge with ifindex
/// `bridge`, under max-taps=`limit`. Each port that is not in one of the limit's slots (since it
/// was made under another rule, or another limit) makes one at the end unavailable; a port in such
/// a slot counts as one without. So of any number of helpers at once exactly so many get a slot as
/// there may be.
Slots slots_within(unsigned limit, int bridge, const std::vector<std::string>& own);

/// The alias of a port of tapgate's, for people: "tapgate uid=UID vm=NAME".
std::string tag_of(uid_t uid, const std::optional<VmName>& vm);

}  // namespace tapgate
