// SPDX-License-Identifier: GPL-2.0-or-later
//
// The host's network at one moment, as the kernel tells any user of it through rtnetlink(7): links,
// bridges and their ports, addresses, default routes, neighbours, and the bridges' tables of who is
// behind which port. Passive data, so that what is made of it can be tested without a network.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// What a bridge has besides what every link has.
struct BridgeFacts {
    std::string id;              ///< as brctl shows it: "8000.525400123456"
    bool stp = false;            ///< it speaks the spanning tree protocol
    unsigned forward_delay = 0;  ///< a second's hundredths
};

/// What a link is as a bridge's port.
struct PortFacts {
    std::uint8_t state = 0;  ///< BR_STATE_... of linux/if_bridge.h
    bool isolated = false;
    bool guard = false;
    bool root_block = false;
    bool locked = false;  ///< only source addresses in the bridge's table may enter
};

struct HostLink {
    int index = 0;
    std::string name;
    std::string kind;   ///< "bridge", "tun", "veth", ...; empty for a physical device
    std::string alias;  ///< the interface alias
    std::optional<MacAddress> mac;
    int master = 0;  ///< the index of the bridge (bond, ...) that it belongs to; 0: none
    unsigned mtu = 0;
    int below = 0;  ///< the index of the link that it stands on, as a VLAN device does; 0: none
    bool up = false;
    bool carrier = false;            ///< of a tap: somebody has it open
    std::optional<uid_t> tap_owner;  ///< what a tap's holder set; proves nothing
    std::optional<BridgeFacts> bridge;
    std::optional<PortFacts> port;
    /// Of a VXLAN device: this host's address that its frames leave from; empty: any.
    std::optional<std::string> tunnel_from;
};

struct HostAddress {
    int link = 0;
    std::string address;  ///< "192.0.2.1"
    unsigned prefix = 0;
    bool v6 = false;
    bool link_local = false;
    bool from_router = false;  ///< made from an IPv6 router's advertisement
    bool leased = false;       ///< it ends some day, as one from a DHCP server or a router does
};

struct DefaultRoute {
    int link = 0;  ///< 0: several
    bool v6 = false;
    bool from_router = false;  ///< learnt from an IPv6 router's advertisement
};

/// An entry of the ARP or NDP table that names a station.
struct Neighbour {
    int link = 0;
    std::string address;
    MacAddress mac;
    bool v6 = false;
    bool link_local = false;
    bool confirmed = false;  ///< it answered a moment ago
};

/// Frames from `mac` came in by `port`, or somebody entered that.
// (There is no MacAddress that was not given one, which clang-tidy does not see.)
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
struct Station {
    MacAddress mac;
    int port = 0;
    int bridge = 0;
    bool own = false;  ///< an address of the port's own device
    /// A routing daemon (EVPN) has entered it: it is there, until that says otherwise.
    bool entered = false;
    /// Since its last frame, in ms; 0 where the kernel does not say.
    std::uint64_t age = 0;
};

struct HostNetwork {
    std::vector<HostLink> links;
    std::vector<HostAddress> addresses;
    std::vector<DefaultRoute> default_routes;
    std::vector<Neighbour> neighbours;
    std::vector<Station> stations;

    /// Nothing when there is none.
    [[nodiscard]] const HostLink* link(int index) const;
    [[nodiscard]] const HostLink* link(std::string_view name) const;
    [[nodiscard]] std::vector<const HostLink*> ports(int bridge) const;
    /// Where frames from `mac` come in; nothing when the bridge has not heard of it.
    [[nodiscard]] const Station* station(const MacAddress& mac, int bridge) const;
    /// The neighbour entries of `mac` seen from the bridge or a VLAN device on it, the best to
    /// connect to first: confirmed before others, IPv4 before IPv6, link-local ones last.
    [[nodiscard]] std::vector<Neighbour> neighbours_of(const MacAddress& mac, int bridge) const;
};

/// The network of this process's namespace. A link that comes or goes meanwhile may be missing.
/// Each question has a time limit. Throws a LauncherError.
HostNetwork host_network();

/// The alias that tapgate-helper gives a tap ("tapgate uid=UID vm=NAME"), which its holder cannot
/// change.
struct PortTag {
    uid_t owner = 0;
    std::optional<VmName> vm;
};

/// Whose tap the link is; nothing when it is not one of tapgate's.
std::optional<PortTag> port_tag(const HostLink& link);

/// An address as programs take it: a link-local IPv6 one with the link's name behind it.
std::string usable_address(const HostNetwork& network, const Neighbour& neighbour);

}  // namespace tapgate
