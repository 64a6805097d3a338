// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/names.h"
#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/adapter_model.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// The bridge that the adapter is on, or a guess.
std::string bridge_of(XmlLeft& xml, const pugi::xml_node& interface, const std::string& type,
                      std::string& why) {
    const pugi::xml_node source = interface.child("source");
    const std::string bridge = xml.attribute(source, "bridge");
    const std::string network = xml.attribute(source, "network");
    const std::string device = xml.attribute(source, "dev");
    const std::string mode = xml.attribute(source, "mode");
    if (!bridge.empty() && InterfaceName::parse(bridge))
        return bridge;
    if (!bridge.empty()) {
        add_reason(why, quoted_word(bridge) + " cannot be a bridge's name: br0 is a guess");
    } else if (network == "default") {
        add_reason(why, "virbr0 is the bridge of libvirt's network `default'");
        return "virbr0";
    } else if (!network.empty()) {
        add_reason(why, "libvirt's network " + quoted_word(network) +
                            ": br0 is a guess, virsh net-info tells its bridge");
    } else if (type == "direct") {
        add_reason(why, "it was a macvtap of " + quoted_word(device) +
                            (mode.empty() ? "" : " (" + mode + ")") +
                            ": br0 is a guess; that device has to be a port of the bridge");
    } else {
        add_reason(why, "it was on no bridge that is named here: br0 is a guess");
    }
    return "br0";
}

// The ports of a <range>; nothing if it is none, or has more ports than one would list one by one.
std::optional<std::pair<std::uint64_t, std::uint64_t>> ports_of(XmlLeft& xml,
                                                                const pugi::xml_node& range) {
    constexpr std::uint64_t most = 64;
    const auto start = parse_whole<std::uint64_t>(xml.attribute(range, "start"));
    const std::string last = xml.attribute(range, "end");
    const auto end = last.empty() ? start : parse_whole<std::uint64_t>(last);
    if (!start || !end || *end < *start || *end - *start >= most)
        return std::nullopt;
    return std::pair(*start, *end);
}

using PortRanges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

// <range start='1020' exclude='yes'/>.
PortRanges excluded_of(XmlLeft& xml, const pugi::xml_node& forward, std::string& why) {
    PortRanges excluded;
    for (const pugi::xml_node& range : forward.children("range")) {
        if (xml.attribute(range, "exclude") != "yes")
            continue;
        if (const auto ports = ports_of(xml, range)) {
            excluded.push_back(*ports);
            add_reason(why, "without " + tag_of(range) + ", as before");
        } else {
            add_reason(why, "left out: " + tag_of(range));
        }
    }
    return excluded;
}

// The rules for the ports of one range that are not excluded; nothing if hostfwd= cannot express
// them.
std::optional<std::string> rules_of(XmlLeft& xml, const pugi::xml_node& range,
                                    const std::string& place, const PortRanges& excluded) {
    const std::string to = xml.attribute(range, "to");
    const auto ports = ports_of(xml, range);
    if (!ports)
        return std::nullopt;
    const auto inside = to.empty() ? std::optional(ports->first) : parse_whole<std::uint64_t>(to);
    std::string rules;
    for (std::uint64_t port = ports->first; port <= ports->second; port++) {
        if (std::any_of(excluded.begin(), excluded.end(),
                        [&](const auto& one) { return port >= one.first && port <= one.second; }))
            continue;
        const auto rule = inside ? HostForward::parse(place + ":" + std::to_string(port) + "-:" +
                                                      std::to_string(*inside + port - ports->first))
                                 : std::nullopt;
        if (!rule)
            return std::nullopt;
        rules += ",hostfwd=" + rule->str();
    }
    return rules;
}

// <portForward proto='tcp' address='..'><range start='2022' end='2024' to='22'/>, of passt.
std::string forwards_of(XmlLeft& xml, const pugi::xml_node& interface, std::string& why) {
    std::string text;
    bool everywhere = false;
    for (const pugi::xml_node& forward : interface.children("portForward")) {
        const std::string protocol = xml.attribute(forward, "proto");
        const std::string address = xml.attribute(forward, "address");
        const PortRanges excluded = excluded_of(xml, forward, why);
        for (const pugi::xml_node& range : forward.children("range")) {
            if (xml.attribute(range, "exclude") == "yes")
                continue;
            const auto rules = rules_of(xml, range, protocol + ":" + address, excluded);
            everywhere = everywhere || (rules && address.empty());
            if (rules)
                text += *rules;
            else
                add_reason(why, "left out: " + tag_of(forward) + tag_of(range));
        }
    }
    if (everywhere)
        add_reason(why,
                   "a port that was open at all addresses of the host is open at 127.0.0.1: "
                   "hostfwd=tcp:0.0.0.0:PORT-:PORT opens it everywhere");
    return text;
}

// For adapters that are neither on a bridge nor behind NAT: QEMU's own sockets.
std::string socket_netdev(XmlLeft& xml, const pugi::xml_node& interface, const std::string& type) {
    const pugi::xml_node source = interface.child("source");
    if (const std::string device = xml.attribute(source, "dev"); type == "vdpa")
        return device.starts_with('/') ? "vhost-vdpa,vhostdev=" + commas_doubled(device) : "";
    const std::string address = xml.attribute(source, "address");
    const std::string port = xml.attribute(source, "port");
    const std::string there = commas_doubled(address + ":" + port);
    if (port.empty())
        return {};
    if (type == "mcast")
        return "socket,mcast=" + there;
    if (type == "server")
        return "socket,listen=" + there;
    if (type == "client")
        return "socket,connect=" + there;
    const pugi::xml_node local = source.child("local");
    return "socket,udp=" + there + ",localaddr=" +
           commas_doubled(xml.attribute(local, "address") + ":" + xml.attribute(local, "port"));
}

void keep_socket(DomainParts& domain, const std::string& was, const std::string& netdev,
                 const std::string& driver, const std::string& mac, const std::string& place,
                 const std::string& why) {
    const std::string id = "keptnet" + std::to_string(domain.kept_nets++);
    const size_t kind = std::min(netdev.find(','), netdev.size());
    std::string device = driver + ",netdev=" + id;
    if (!mac.empty())
        device += ",mac=" + mac;
    domain.result.keep(was,
                       {"-netdev", netdev.substr(0, kind) + ",id=" + id + netdev.substr(kind),
                        "-device", device + place},
                       why.empty() ? "net= has no such network" : why);
}

}  // namespace

void read_domain_interface(DomainParts& domain, const pugi::xml_node& interface) {
    XmlLeft& xml = domain.xml;
    const std::string type = xml.attribute(interface, "type");
    const pugi::xml_node source = interface.child("source");
    const std::string was = tag_of(interface) + (source ? tag_of(source) : "");
    std::string why;
    const std::string wanted = xml.attribute(interface.child("model"), "type");
    // libvirt's model on a PC if none is given.
    const NetModelChoice model = net_model(wanted.empty() ? "rtl8139" : wanted);
    if (wanted.empty())
        add_reason(why, "no model was said: libvirt's default is rtl8139");
    if (!model.why.empty())
        add_reason(why, model.why);
    else if (!wanted.empty() && wanted != model.model)
        add_reason(why, "it was called " + wanted);
    if (type == "hostdev") {
        domain.drop(interface,
                    "a network card of the host's that was the guest's: "
                    "--qemu-arg=-device --qemu-arg=vfio-pci,host=ADDRESS gives it to it");
        return;
    }
    const bool socket =
        type == "mcast" || type == "server" || type == "client" || type == "udp" || type == "vdpa";
    const bool bridged =
        type == "bridge" || type == "network" || type == "direct" || type == "ethernet";
    if (type == "vhostuser" && keep_domain_vhost_net(domain, interface, model.model))
        return;
    if (!socket && !bridged && type != "user") {
        domain.drop(interface, "net= has no such network");
        return;
    }
    if (!socket && domain.nets >= most_nets) {
        domain.drop(interface, "a VM of tapgate's has up to 16 adapters");
        return;
    }
    if (const std::string tap = xml.attribute(interface.child("target"), "dev"); !tap.empty())
        add_reason(why, "its device on the host was " + tap);
    const std::string address = xml.attribute(interface.child("mac"), "address");
    const auto mac = MacAddress::parse(address);
    if (!address.empty() && !mac)
        add_reason(why, quoted_word(address) + " is no station's MAC address: it gets another");
    const auto order = boot_order_of(domain, interface);
    if (xml.attribute(interface.child("link"), "state") == "down")
        add_reason(why, "its link was down, and is up (tapgate links tells, and can cut it)");
    if (socket) {
        const std::string netdev = socket_netdev(xml, interface, type);
        if (netdev.empty()) {
            domain.drop(interface, "no port, or no device, is said");
            return;
        }
        domain.has_net = true;
        const std::string driver = model.model == "virtio" ? "virtio-net-pci" : model.model;
        keep_socket(domain, was, netdev, driver, mac ? mac->str() : "",
                    domain.boot.add_kept(BootKind::net, order),
                    domain.with_left(interface, std::move(why)));
        return;
    }
    std::string value = "user";
    if (bridged)
        value = "bridge:" + bridge_of(xml, interface, type, why);
    value += ",model=" + model.model;
    if (mac)
        value += ",mac=" + mac->str();
    const pugi::xml_node driver = interface.child("driver");
    if (const std::string name = xml.attribute(driver, "name"); name == "vhost")
        add_reason(why, "vhost is used where /dev/vhost-net can be opened");
    else if (!name.empty())
        add_reason(why, "vhost is used where it can be, not " + name + " alone");
    const auto queues = parse_whole<std::uint64_t>(xml.attribute(driver, "queues"));
    constexpr std::uint64_t most_queues = 253;
    if (queues && *queues > 1 && bridged && model.model == "virtio" && *queues <= most_queues)
        value += ",queues=" + std::to_string(*queues);
    else if (queues && *queues > 1)
        add_reason(why, "one queue instead of " + std::to_string(*queues));
    if (type == "user")
        value += forwards_of(xml, interface, why);
    domain.has_net = true;
    domain.nets++;
    domain.boot.add(BootKind::net, order);
    domain.set(was, "net", value, domain.with_left(interface, std::move(why)));
}

}  // namespace tapgate
