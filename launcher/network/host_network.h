// SPDX-License-Identifier: GPL-2.0-or-later
//
// The host's network at one moment, as the kernel describes it to any user through rtnetlink(7):
// links, bridges and their ports, addresses, default routes, neighbours, and the bridges' tables of
// which station is behind which port. Passive data, so that code that uses it can be tested without
// a network.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// What a bridge has in addition to what every link has.
struct BridgeFacts {
    std::string id;              ///< as brctl shows it: "8000.525400123456"
    bool stp = false;            ///< it speaks the spanning tree protocol
    unsigned forward_delay = 0;  ///< in hundredths of a second
};

/// What a link has as the port of a bridge.
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
    int master = 0;  ///< the ifindex of the bridge (bond, ...) that it belongs to; 0: none
    unsigned mtu = 0;
    int below = 0;  ///< the ifindex of the link that it is built on, as a VLAN device is; 0: none
    bool up = false;
    bool carrier = false;            ///< of a tap: somebody has it open
    std::optional<uid_t> tap_owner;  ///< set by the tap's holder, so it proves nothing
    std::optional<BridgeFacts> bridge;
    std::optional<PortFacts> port;
    /// Of a VXLAN device: the address of this host that its frames are sent from; empty: any.
    std::optional<std::string> tunnel_from;
};

struct HostAddress {
    int link = 0;
    std::string address;  ///< "192.0.2.1"
    unsigned prefix = 0;
    bool v6 = false;
    bool link_local = false;
    bool from_router = false;  ///< derived from an IPv6 router's advertisement
    bool leased = false;       ///< it expires, as one from a DHCP server or a router does
};

struct DefaultRoute {
    int link = 0;  ///< 0 when it uses several
    bool v6 = false;
    bool from_router = false;  ///< learnt from an IPv6 router's advertisement
};

/// An entry of the ARP or NDP table that has a MAC address.
struct Neighbour {
    int link = 0;
    std::string address;
    MacAddress mac;
    bool v6 = false;
    bool link_local = false;
    bool confirmed = false;  ///< it answered a moment ago
};

/// A station: frames from `mac` have come in by `port`, or somebody has made an entry that says so.
// (clang-tidy does not see that a MacAddress always has a value.)
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
struct Station {
    MacAddress mac;
    int port = 0;
    int bridge = 0;
    bool own = false;  ///< an address of the port's own device
    /// A routing daemon (EVPN) made the entry: the station is there until the daemon says
    /// otherwise.
    bool entered = false;
    /// The time since its last frame, in ms; 0 when the kernel does not say.
    std::uint64_t age = 0;
};

struct HostNetwork {
    std::vector<HostLink> links;
    std::vector<HostAddress> addresses;
    std::vector<DefaultRoute> default_routes;
    std::vector<Neighbour> neighbours;
    std::vector<Station> stations;

    /// Null when there is no such link.
    [[nodiscard]] const HostLink* link(int index) const;
    [[nodiscard]] const HostLink* link(std::string_view name) const;
    [[nodiscard]] std::vector<const HostLink*> ports(int bridge) const;
    /// The station with that MAC address; null when the bridge has not heard of it.
    [[nodiscard]] const Station* station(const MacAddress& mac, int bridge) const;
    /// The neighbour entries of `mac` as seen from the bridge or a VLAN device on it. The best to
    /// connect to come first: confirmed before others, IPv4 before IPv6, link-local ones last.
    [[nodiscard]] std::vector<Neighbour> neighbours_of(const MacAddress& mac, int bridge) const;
};

/// The network of this process's namespace. A link that appears or disappears meanwhile may be
/// missing. Each question has a time limit. Throws a LauncherError.
HostNetwork host_network();

/// The alias that tapgate-helper gives a port ("tapgate uid=UID vm=NAME mac=MAC"). The holder of
/// the tap cannot change it.
struct PortTag {
    uid_t owner = 0;
    std::optional<VmName> vm;
    std::optional<MacAddress> mac;  ///< the guest's, as its user says
};

/// What the link's alias says; nothing when it is not a port of tapgate's.
std::optional<PortTag> port_tag(const HostLink& link);

/// The neighbour's address in the form that programs take: a link-local IPv6 one has the link's
/// name at its end.
std::string usable_address(const HostNetwork& network, const Neighbour& neighbour);

}  // namespace tapgate
