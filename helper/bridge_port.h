// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/names.h"
#include "helper/link.h"
#include "helper/policy.h"
#include "helper/request.h"

namespace tapgate {

/// The bridge called `name`. Throws Failure when there is no such link, when it is not a bridge, or
/// when `name` is an alternative name of it: a `deny` of its proper name would not match that.
Link find_bridge(const LinkSocket& links, const InterfaceName& name);

/// The addresses to give `bridge`, one after the other, so that its own address stays what it is
/// now; empty when root (or an earlier run) has set it. A bridge whose address nobody has set uses
/// the lowest of its ports' addresses, so a tap's holder could change it with a lower one. `port`
/// is the ifindex of the link that is to become its port. Throws Failure or LinkError.
std::vector<MacAddress> addresses_that_fix(const LinkSocket& links, const Link& bridge, int port);

/// The settings that `rule` and `request` give a port of `bridge`. Throws Failure when the three do
/// not fit together: the rule locks the port to a MAC address but the request names none, say, or
/// it names a VLAN but the bridge does not filter VLANs.
PortSettings port_settings(const Link& bridge, const Rule& rule, const Request& request,
                           uid_t owner);

/// Compares what the kernel says about `port`, a port of `bridge`, with what was set. Throws
/// Failure when it differs, so that only a port that is as the rule says is handed over.
void require_settings(const Link& port, const Link& bridge, const PortSettings& settings);

/// Whether `error` says that the bridge already knows the MAC address to lock to, behind another
/// port.
bool is_taken_address(const LinkError& error);

/// Throws the Failure that says why `port` could not become a port of `bridge`.
[[noreturn]] void fail_to_add(const std::string& port, const Link& bridge, const LinkError& error);

}  // namespace tapgate
