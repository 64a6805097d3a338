// SPDX-License-Identifier: GPL-2.0-or-later
//
// The bridge, and what is between a guest on it and the rest of the network.
#include <algorithm>

#include "launcher/base/text.h"
#include "launcher/doctor/checks.h"

namespace tapgate {

namespace {

LinkDetails details_of(const DoctorFacts& facts, const HostLink& link) {
    const auto found = facts.link_details.find(link.name);
    return found == facts.link_details.end() ? LinkDetails{} : found->second;
}

// The ports that lead out of this host. These are not guests' ends; and containers' ends only when
// there is nothing else, since in a container they are the way out.
std::vector<const HostLink*> uplinks_of(const HostNetwork& network, const HostLink& bridge) {
    std::vector<const HostLink*> uplinks;
    std::vector<const HostLink*> pairs;
    for (const HostLink* port : network.ports(bridge.index)) {
        if (port_tag(*port))
            continue;
        if (port->kind == "veth")
            pairs.push_back(port);
        else if (port->kind != "tun")
            uplinks.push_back(port);
    }
    return uplinks.empty() ? pairs : uplinks;
}

// The link by which this host's own packets leave by default.
const HostLink* default_link(const HostNetwork& network) {
    for (const DefaultRoute& route : network.default_routes)
        if (const HostLink* const link = network.link(route.link); link != nullptr && !route.v6)
            return link;
    return nullptr;
}

void check_uplink(const DoctorFacts& facts, const HostLink& bridge, Findings& findings) {
    const std::string name = shown(bridge.name);
    const auto uplinks = uplinks_of(facts.network, bridge);
    if (uplinks.empty()) {
        const HostLink* const way_out = default_link(facts.network);
        if (way_out != nullptr && details_of(facts, *way_out).wireless)
            findings.push_back({"uplink", Health::warn,
                                name + " leads nowhere but to this host, and " +
                                    shown(way_out->name) +
                                    " is Wi-Fi, which cannot be a bridge's port: its access point "
                                    "takes frames of one MAC address only",
                                "a cable; or --net=user"});
        else
            findings.push_back(
                {"uplink", Health::warn,
                 name + " has no uplink: guests reach this host and each "
                        "other only",
                 way_out != nullptr && way_out->index != bridge.index && way_out->master == 0
                     ? "sudo ip link set " + shown(way_out->name) + " master " + name +
                           " (its addresses must move to " + name + ", or this host is cut off)"
                     : "sudo ip link set DEVICE master " + name});
        return;
    }
    for (const HostLink* port : uplinks) {
        const std::string uplink_name = shown(port->name);
        if (details_of(facts, *port).wireless)
            findings.push_back({"uplink", Health::fail,
                                uplink_name + " is Wi-Fi: its access point drops what comes from a "
                                              "guest's MAC address",
                                "a cable as the uplink; or --net=user"});
        else if (!port->up)
            findings.push_back({"uplink", Health::fail, "the uplink " + uplink_name + " is down",
                                "sudo ip link set " + uplink_name + " up"});
        else if (!port->carrier)
            findings.push_back({"uplink", Health::warn,
                                "the uplink " + uplink_name + " has no carrier",
                                "look at its cable and the switch"});
        else
            findings.push_back({"uplink", Health::ok, uplink_name + " is up"});
    }
}

void check_addresses(const DoctorFacts& facts, const HostLink& bridge, Findings& findings) {
    const std::string name = shown(bridge.name);
    std::string own;
    bool leased = false;
    bool router = false;
    for (const HostAddress& one : facts.network.addresses) {
        if (one.link != bridge.index || one.link_local)
            continue;
        own += (own.empty() ? "" : ", ") + one.address + "/" + std::to_string(one.prefix);
        leased = leased || (one.leased && !one.v6);
        router = router || one.from_router || (one.leased && one.v6);
    }
    for (const HostLink* port : facts.network.ports(bridge.index))
        for (const HostAddress& one : facts.network.addresses)
            if (one.link == port->index && !one.link_local)
                findings.push_back(
                    {"address", Health::warn,
                     one.address + " is an address of the port " + shown(port->name) +
                         ", where it is of no use: it belongs on " + name,
                     "sudo ip addr flush dev " + shown(port->name) + " && sudo dhclient " + name});
    if (own.empty())
        findings.push_back(
            {"address", Health::warn,
             "this host has no address on " + name + ": guests cannot reach it, nor it them",
             "sudo dhclient " + name + ", or sudo ip addr add ADDRESS/LENGTH dev " + name});
    else
        findings.push_back({"address", Health::ok, own});
    findings.push_back({"dhcp", Health::ok,
                        leased
                            ? "this host's own address is leased: there is a DHCP server"
                            : "not known whether there is a server: this host has no lease here, "
                              "and only root could ask"});
    for (const DefaultRoute& route : facts.network.default_routes)
        router = router || (route.v6 && route.from_router && route.link == bridge.index);
    findings.push_back({"ipv6-router", Health::ok,
                        router ? "there is one: guests get IPv6 addresses"
                               : "none was heard: guests have link-local IPv6 addresses only"});
}

// How much of the MTU of the network below is left for the bridge's frames; 0: not known.
unsigned room_in(const HostNetwork& network, const HostLink& tunnel) {
    for (const HostAddress& one : network.addresses) {
        const HostLink* const below = network.link(one.link);
        if (below == nullptr || one.address != *tunnel.tunnel_from)
            continue;
        // The outer IP and UDP headers, VXLAN's own, and the frame's Ethernet header.
        const unsigned headers = one.v6 ? 70 : 50;
        return below->mtu - std::min(below->mtu, headers);
    }
    return 0;
}

void check_tunnel_mtu(const DoctorFacts& facts, const HostLink& bridge, const HostLink& tunnel,
                      Findings& findings) {
    const std::string name = shown(tunnel.name);
    const unsigned room = room_in(facts.network, tunnel);
    if (room != 0 && tunnel.mtu > room)
        findings.push_back({"mtu", Health::warn,
                            name + " has an MTU of " + std::to_string(tunnel.mtu) +
                                ", and the network below it room for " + std::to_string(room) +
                                ": large frames are lost or cut",
                            "sudo ip link set " + name + " mtu " + std::to_string(room)});
    else if (bridge.mtu > tunnel.mtu)
        findings.push_back(
            {"mtu", Health::warn,
             shown(bridge.name) + " has an MTU of " + std::to_string(bridge.mtu) + ", and " + name +
                 " to the other hosts one of " + std::to_string(tunnel.mtu) +
                 ": large frames do not get there",
             "sudo ip link set " + shown(bridge.name) + " mtu " + std::to_string(tunnel.mtu)});
    else
        findings.push_back({"mtu", Health::ok, name + " to other hosts: fits"});
}

// Checks the tunnels that stretch the bridge over several hosts.
void check_tunnels(const DoctorFacts& facts, const HostLink& bridge, Findings& findings) {
    const auto verdict = facts.helper.verdicts.find(bridge.name);
    const bool isolated = verdict != facts.helper.verdicts.end() && verdict->second.allowed &&
                          verdict->second.text.find("isolated") != std::string::npos;
    for (const HostLink* tunnel : facts.network.ports(bridge.index)) {
        if (!tunnel->tunnel_from)
            continue;
        const std::string name = shown(tunnel->name);
        if (isolated && !tunnel->port->isolated)
            findings.push_back(
                {"isolated", Health::warn,
                 "your ports on " + shown(bridge.name) + " are isolated, and " + name +
                     " to the other hosts is not: guests there reach yours all the same",
                 "sudo bridge link set dev " + name +
                     " isolated on; lasting, and what the gateway then needs: tapgate-cluster(7)"});
        check_tunnel_mtu(facts, bridge, *tunnel, findings);
    }
}

}  // namespace

void check_bridge(const DoctorFacts& facts, const std::string& name, Findings& findings) {
    const HostLink* const link = facts.network.link(name);
    if (link == nullptr || !link->bridge) {
        std::string others;
        for (const HostLink& one : facts.network.links)
            if (one.bridge)
                others += (others.empty() ? "" : ", ") + shown(one.name);
        findings.push_back(
            {"bridge", Health::fail,
             (link == nullptr ? "there is no " + shown(name)
                              : shown(name) + " is no bridge, but a " +
                                    (link->kind.empty() ? "network device" : shown(link->kind))) +
                 (others.empty() ? "; this host has no bridges" : "; bridges here: " + others),
             link == nullptr
                 ? "sudo ip link add " + shown(name) + " type bridge && sudo ip link set " +
                       shown(name) + " up; lasting: in the host's network manager"
                 : "name a bridge: --net=bridge:NAME"});
        return;
    }
    findings.push_back({"bridge", Health::ok, shown(name)});
    if (link->up)
        findings.push_back({"bridge-up", Health::ok, "it is up"});
    else
        findings.push_back({"bridge-up", Health::fail, shown(name) + " is down",
                            "sudo ip link set " + shown(name) + " up"});
    check_uplink(facts, *link, findings);
    const unsigned delay = 2 * link->bridge->forward_delay / 100;
    if (link->bridge->stp && delay > 0)
        findings.push_back(
            {"stp", Health::warn,
             shown(name) + " speaks STP: a new port is silent for " + std::to_string(delay) +
                 " s, and DHCP in the guest may give up",
             "sudo ip link set " + shown(name) +
                 " type bridge stp_state 0, where no loop is possible; NetworkManager: "
                 "nmcli connection modify " +
                 shown(name) + " bridge.stp no"});
    else
        findings.push_back({"stp", Health::ok, "a new port forwards at once"});
    findings.push_back({"bridge-mac", Health::ok,
                        details_of(facts, *link).fixed_address
                            ? "fixed: ports do not change it"
                            : "not fixed yet: the helper fixes it with the first tap"});
    check_addresses(facts, *link, findings);
    check_tunnels(facts, *link, findings);
}

void check_netfilter(const DoctorFacts& facts, Findings& findings) {
    if (!facts.netfilter_on_bridges) {
        findings.push_back({"netfilter", Health::ok, "bridged frames do not go through iptables"});
        return;
    }
    const bool docker = facts.network.link("docker0") != nullptr;
    findings.push_back(
        {"netfilter", Health::warn,
         std::string("bridged frames go through iptables' FORWARD chain (br_netfilter)") +
             (docker ? ", which Docker, seen here, sets to DROP"
                     : "; whether that drops them only root can see: sudo iptables -S FORWARD"),
         docker ? "sudo iptables -I DOCKER-USER -m physdev --physdev-is-bridged -j ACCEPT"
                : "sudo sysctl -w net.bridge.bridge-nf-call-iptables=0"});
}

// The guards are installed but off, so being off is not a fault.
void check_guards(const DoctorFacts& facts, Findings& findings) {
    const bool gone = facts.guards.unit && facts.guards.loaded == false;
    if (gone)
        findings.push_back({"guards", Health::warn,
                            "tapgate-guards.service is active, and its table is gone (by nft flush "
                            "ruleset?)",
                            "sudo systemctl restart tapgate-guards"});
    else if (facts.guards.unit || facts.guards.loaded == true)
        findings.push_back({"guards", Health::ok,
                            "tapgate.nft is loaded: no guest is a DHCP server, a router or a "
                            "switch"});
    else
        findings.push_back(
            {"guards", Health::ok,
             std::string("off: tapgate.nft, against guests that are DHCP servers, routers or "
                         "switches, is not loaded") +
                 (facts.guards.loaded ? "" : " by its unit (only root can see more)")});
}

// Looks for what QEMU's `-net tap,script=no` leaves: taps that are on no bridge, and down.
void check_stray_taps(const DoctorFacts& facts, Findings& findings) {
    const std::string target = facts.bridges.empty() ? "br0" : shown(facts.bridges.front());
    for (const HostLink& link : facts.network.links) {
        // A link without a MAC address is a tun, probably a VPN's.
        if (link.kind != "tun" || !link.mac || link.master != 0 || link.up)
            continue;
        findings.push_back({"stray-tap", Health::warn,
                            "the tap " + shown(link.name) +
                                " is down and no bridge's port (QEMU's script=no leaves it so)",
                            "sudo ip link set " + shown(link.name) + " master " + target +
                                " up; better: let tapgate make the tap"});
    }
}

}  // namespace tapgate
