// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_BRIDGE_PORT_H
#define TAPGATE_HELPER_BRIDGE_PORT_H

#include "common/names.h"
#include "helper/link.h"
#include "helper/policy.h"
#include "helper/request.h"
#include "helper/tap.h"

namespace tapgate {

/// The bridge of that name. Throws Failure when there is no such link, it is not a bridge, or the
/// name is one of its alternative ones, which a `deny` by its proper name would not be about.
Link find_bridge(const LinkSocket& links, const InterfaceName& name);

/// Whether root (or an earlier run) set the bridge's own MAC address, so that the kernel leaves it
/// alone. Otherwise it is the lowest of its ports' addresses, which a tap's holder can undercut.
bool has_fixed_address(const Link& bridge);

/// What `rule` and `request` make of a port of `bridge`. Throws Failure where they do not go
/// together: the rule locks the port to a MAC address, but the request names none; it wants a VLAN,
/// but the bridge does not filter VLANs.
PortSettings port_settings(const Link& bridge, const Rule& rule, const Request& request,
                           uid_t owner);

/// Makes `tap` a port of `bridge` and brings it up; then reads it back and compares, so that a tap
/// which is handed over is what it is meant to be. Needs CAP_NET_ADMIN. Throws Failure; the tap
/// goes when it is closed.
void attach_port(const LinkSocket& links, const Tap& tap, const Link& bridge,
                 const PortSettings& settings);

}  // namespace tapgate

#endif
