// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a tap says whose it is. Whoever holds a tap's descriptor can change its owner and its MAC
// address and make it outlive every process, without any privilege; but not its name, its interface
// alias or its alternative names (net/core/rtnetlink.c wants CAP_NET_ADMIN for those). So those are
// the database: it lives exactly as long as the tap, and nobody but root can edit it.
#ifndef TAPGATE_HELPER_PORT_TAG_H
#define TAPGATE_HELPER_PORT_TAG_H

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/names.h"
#include "helper/link.h"

namespace tapgate {

/// The name of a tap of `uid`'s: "tap1000-2f3", with any `serial`; another serial is another name,
/// up to 36^4 of them. uids of more than seven digits are written to the base of 36:
/// "tap1z141z3_2f3". The name says whose tap it is to who looks at many (the kernel tells names ten
/// times as fast as aliases), and is there to be had at once: for a pattern, as "tap%d", the kernel
/// looks at every interface of the host (__dev_alloc_name() in net/core/dev.c, half a microsecond
/// for each).
std::string tap_name(uid_t uid, unsigned serial);

/// Is it a name that a tap of ours may have: one of these, or the kernel's "tap0"?
bool is_tap_name(std::string_view name);

/// Whose tap that is; nothing when it is no such name.
std::optional<uid_t> named_owner(std::string_view name);

/// The alias of a tap of tapgate's: "tapgate uid=UID vm=NAME".
std::string tag_of(uid_t uid, const std::optional<VmName>& vm);

/// Whose tap the link is, by its tag; nothing when it is not one of tapgate's.
std::optional<uid_t> tagged_owner(const Link& link);

/// The alternative name that stands for the `slot`th tap (from 0) that a rule with max-taps lets
/// `uid` have on the bridge with ifindex `bridge`. A name can be had once in a network namespace.
std::string slot_name(int bridge, uid_t uid, unsigned slot);

}  // namespace tapgate

#endif
