// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TAPGATE_HELPER_BRIDGE_PORT_H
#define TAPGATE_HELPER_BRIDGE_PORT_H

#include <string>

#include "common/names.h"
#include "helper/link.h"
#include "helper/privileges.h"
#include "helper/request.h"
#include "helper/tap.h"

namespace tapgate {

/// The bridge of that name. Throws Failure when there is no such link, or it is not a bridge.
Link find_bridge(const LinkSocket& links, const InterfaceName& name);

/// The tag by which tapgate knows its taps, in the interface alias, which a tap's holder cannot
/// change (unlike its owner, its MAC and its persistence): "tapgate uid=UID vm=NAME".
std::string port_alias(const Caller& caller, const Request& request);

/// The tap's own address: the host's side of --mac, or a random one.
MacAddress port_address(const Request& request);

/// Makes `tap` a port of `bridge`, with the bridge's MTU, and brings it up; then reads it back and
/// compares, so that a tap which is handed over is what it is meant to be. Needs CAP_NET_ADMIN.
/// Throws Failure; the tap goes when it is closed.
void attach_port(const LinkSocket& links, const Tap& tap, const Link& bridge,
                 const InterfaceName& bridge_name, const MacAddress& address,
                 const std::string& alias);

}  // namespace tapgate

#endif
