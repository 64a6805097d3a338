// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/names.h"
#include "helper/link.h"
#include "helper/policy.h"
#include "helper/request.h"

namespace tapgate {

/// The bridge of that name. Throws Failure when there is no such link, it is not a bridge, or the
/// name is one of its alternative ones, which a `deny` by its proper name would not be about.
Link find_bridge(const LinkSocket& links, const InterfaceName& name);

/// What to set the own address of `bridge` to, in turn, so that it is fixed to what it is now;
/// nothing where root (or an earlier run) has set it. One that nobody has set is the lowest of its
/// ports' addresses, which a tap's holder can undercut. Throws Failure, and LinkError.
std::vector<MacAddress> addresses_that_fix(const LinkSocket& links, const Link& bridge);

/// What `rule` and `request` make of a port of `bridge`. Throws Failure where they do not go
/// together: the rule locks the port to a MAC address, but the request names none; it wants a VLAN,
/// but the bridge does not filter VLANs.
PortSettings port_settings(const Link& bridge, const Rule& rule, const Request& request,
                           uid_t owner);

/// Compares what the kernel says about a `port` of `bridge` with what was set. Throws Failure where
/// it differs, so that what is handed over is what the rule says.
void require_settings(const Link& port, const Link& bridge, const PortSettings& settings);

/// Whether `error` is that the bridge knows the MAC address to lock to behind another port.
bool is_taken_address(const LinkError& error);

/// Throws the Failure that says that `port` did not become one of `bridge`, and why.
[[noreturn]] void fail_to_add(const std::string& port, const Link& bridge, const LinkError& error);

}  // namespace tapgate
