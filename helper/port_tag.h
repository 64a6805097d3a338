// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a tap says whose it is. Whoever holds a tap's descriptor can change its owner and its MAC
// address and make it outlive every process, without any privilege; but not its interface alias and
// not its alternative names (net/core/rtnetlink.c wants CAP_NET_ADMIN for those). So those two are
// the database: it lives exactly as long as the tap, and nobody but root can edit it.
#ifndef TAPGATE_HELPER_PORT_TAG_H
#define TAPGATE_HELPER_PORT_TAG_H

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/names.h"
#include "helper/link.h"

namespace tapgate {

/// The alias of a tap of tapgate's: "tapgate uid=UID vm=NAME".
std::string tag_of(uid_t uid, const std::optional<VmName>& vm);

/// Whose tap the link is, by its tag; nothing when it is not one of tapgate's.
std::optional<uid_t> tagged_owner(const Link& link);

/// The alternative name that stands for the `slot`th tap (from 0) that a rule with max-taps lets
/// `uid` have on the bridge with ifindex `bridge`. A name can be had once in a network namespace.
std::string slot_name(int bridge, uid_t uid, unsigned slot);

}  // namespace tapgate

#endif
