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

// The ports of a <range>; nothing if it is not valid, or has too many ports to list one by one.
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
                   "a port that was open at all of the host's addresses is now open only at "
                   "127.0.0.1; hostfwd=tcp:0.0.0.0:PORT-:PORT opens it everywhere");
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

// What an <interface> says, whatever it is connected to.
struct Adapter {
    std::string type;
    std::string was;
    std::string why;
    std::string model;
    std::optional<MacAddress> mac;
    bool is_guess = false;               // nothing names its bridge
    std::optional<std::uint64_t> order;  // among the devices to boot from

    [[nodiscard]] bool is_on_socket() const {
        return is_one_of(type, {"mcast", "server", "client", "udp", "vdpa"});
    }
    [[nodiscard]] bool is_bridged() const {
        return is_one_of(type, {"bridge", "network", "direct", "ethernet", "vds"});
    }
};

// The bridge that the adapter is on, or a guess.
std::string bridge_of(XmlLeft& xml, const pugi::xml_node& interface, Adapter& adapter) {
    std::string& why = adapter.why;
    const pugi::xml_node source = interface.child("source");
    const std::string bridge = xml.attribute(source, "bridge");
    const std::string network = xml.attribute(source, "network");
    const std::string device = xml.attribute(source, "dev");
    const std::string mode = xml.attribute(source, "mode");
    if (!bridge.empty() && InterfaceName::parse(bridge))
        return bridge;
    if (!bridge.empty()) {
        add_reason(why, quoted_word(bridge) + " cannot be a bridge's name; " + guess_of_bridge);
    } else if (network == "default") {
        add_reason(why, "virbr0 is the bridge of libvirt's network `default'");
        return "virbr0";
    } else if (!network.empty()) {
        add_reason(why,
                   "it was on libvirt's network " + quoted_word(network) +
                       "; br0 is a guess: put the bridge that virsh net-info shows in its place");
    } else if (adapter.type == "direct") {
        add_reason(
            why, "it was a macvtap on " + quoted_word(device) +
                     (mode.empty() ? "" : " (" + mode + ")") +
                     "; br0 is a guess: put a bridge that has this device as a port in its place");
    } else {
        add_reason(why, std::string("no bridge is named; ") + guess_of_bridge);
    }
    adapter.is_guess = true;
    return "br0";
}

void read_model(XmlLeft& xml, const pugi::xml_node& interface, Adapter& adapter) {
    const std::string wanted = xml.attribute(interface.child("model"), "type");
    // libvirt's model on a PC if none is given: these two are only for virtio.
    const char* const usual = is_one_of(adapter.type, {"vdpa", "vhostuser"}) ? "virtio" : "rtl8139";
    const NetModelChoice model = net_model(wanted.empty() ? usual : wanted);
    adapter.model = model.model;
    if (wanted.empty())
        add_reason(adapter.why, std::string("no model is given; libvirt's default is ") + usual);
    if (!model.why.empty())
        add_reason(adapter.why, model.why);
    else if (!wanted.empty() && wanted != model.model)
        add_reason(adapter.why, "it was called " + wanted);
}

// The name, address, place in the boot order and cable of the adapter.
void read_identity(DomainParts& domain, const pugi::xml_node& interface, Adapter& adapter) {
    XmlLeft& xml = domain.xml;
    if (const std::string tap = xml.attribute(interface.child("target"), "dev"); !tap.empty())
        add_reason(adapter.why, "its device on the host was " + tap);
    const std::string address = xml.attribute(interface.child("mac"), "address");
    adapter.mac = MacAddress::parse(address);
    if (!address.empty() && !adapter.mac)
        add_reason(adapter.why,
                   quoted_word(address) +
                       " is not a valid MAC address for an adapter: tapgate gives it another one");
    adapter.order = boot_order_of(domain, interface);
    if (xml.attribute(interface.child("link"), "state") == "down")
        add_reason(adapter.why, "its link was down, and is now up");
}

// Why the adapter cannot be one of the VM's; empty if it can be.
std::string why_no_adapter(const DomainParts& domain, const Adapter& adapter) {
    if (adapter.is_on_socket())
        return {};
    if (!adapter.is_bridged() && adapter.type != "user")
        return "net= has no network of this kind";
    return domain.nets >= most_nets ? "a VM of tapgate has at most 16 adapters" : "";
}

void keep_on_socket(DomainParts& domain, const pugi::xml_node& interface, Adapter adapter) {
    const std::string netdev = socket_netdev(domain.xml, interface, adapter.type);
    if (netdev.empty()) {
        domain.drop(interface, "it names no port or device");
        return;
    }
    domain.has_net = true;
    const std::string id = "keptnet" + std::to_string(domain.kept_nets++);
    const size_t kind = std::min(netdev.find(','), netdev.size());
    std::string device = adapter.model == "virtio" ? "virtio-net-pci" : adapter.model;
    device += ",netdev=" + id;
    if (adapter.mac)
        device += ",mac=" + adapter.mac->str();
    device += domain.boot.add_kept(BootKind::net, adapter.order, domain.adapter_rank(interface));
    const std::string why = domain.with_left(interface, std::move(adapter.why));
    domain.result.keep(
        adapter.was,
        {"-netdev", netdev.substr(0, kind) + ",id=" + id + netdev.substr(kind), "-device", device},
        why.empty() ? "net= has no network of this kind" : why);
}

// <driver>: what moves the packets. Returns what net= says about it.
std::string read_net_driver(XmlLeft& xml, const pugi::xml_node& interface, Adapter& adapter) {
    const pugi::xml_node driver = interface.child("driver");
    if (const std::string name = xml.attribute(driver, "name"); name == "vhost")
        add_reason(adapter.why, "vhost is used where /dev/vhost-net can be opened");
    else if (!name.empty())
        add_reason(adapter.why, "vhost is used where possible, not only " + name);
    const auto queues = parse_whole<std::uint64_t>(xml.attribute(driver, "queues"));
    constexpr std::uint64_t most_queues = 253;
    if (!queues || *queues <= 1)
        return {};
    if (adapter.is_bridged() && adapter.model == "virtio" && *queues <= most_queues)
        return ",queues=" + std::to_string(*queues);
    add_reason(adapter.why, "one queue instead of " + std::to_string(*queues));
    return {};
}

// ",slot=18" for an adapter on pc's own bus, where it stays, so that Linux still calls it after
// that.
std::string slot_of(DomainParts& domain, const pugi::xml_node& interface, std::string& why) {
    const auto place = domain_pci_place(interface);
    const unsigned slot = place.value_or(0) / 8;
    const bool is_here = !domain.machine.q35 && domain.hypervisor.empty() && place &&
                         *place % 8 == 0 && slot >= first_free_slot && slot <= last_slot;
    if (!is_here || !domain.slots.insert(slot).second) {
        if (domain.hypervisor.empty())
            add_reason(why, may_be_renamed);
        return {};
    }
    const std::string number = std::to_string(slot);
    add_reason(why, "it stays in slot " + number + ", so that Linux finds ens" + number + " again");
    return ",slot=" + number;
}

void set_net(DomainParts& domain, const pugi::xml_node& interface, Adapter adapter) {
    XmlLeft& xml = domain.xml;
    std::string value = "user";
    if (adapter.is_bridged())
        value = "bridge:" + bridge_of(xml, interface, adapter);
    value += ",model=" + adapter.model;
    if (adapter.mac)
        value += ",mac=" + adapter.mac->str();
    value += read_net_driver(xml, interface, adapter);
    value += slot_of(domain, interface, adapter.why);
    if (adapter.type == "user")
        value += forwards_of(xml, interface, adapter.why);
    domain.has_net = true;
    domain.nets++;
    domain.boot.add(BootKind::net, adapter.order, domain.adapter_rank(interface));
    domain.set(adapter.was, "net", value, domain.with_left(interface, std::move(adapter.why)));
    domain.result.notes.back().is_guess = adapter.is_guess;
}

}  // namespace

void read_domain_interface(DomainParts& domain, const pugi::xml_node& interface) {
    const pugi::xml_node source = interface.child("source");
    Adapter adapter;
    adapter.type = domain.xml.attribute(interface, "type");
    adapter.was = tag_of(interface) + (source ? tag_of(source) : "");
    read_model(domain.xml, interface, adapter);
    if (adapter.type == "hostdev") {
        domain.drop(interface,
                    "the guest had this network card of the host: to give it the card again, add "
                    "--qemu-arg=-device --qemu-arg=vfio-pci,host=ADDRESS");
        return;
    }
    // passt, which libvirt ran for the adapter, is a way to the host's network, as QEMU's NAT is.
    if (const pugi::xml_node backend = interface.child("backend");
        adapter.type == "vhostuser" && domain.xml.attribute(backend, "type") == "passt") {
        adapter.type = "user";
        add_reason(adapter.why, "libvirt ran passt for it; it is behind QEMU's own NAT now");
    }
    if (adapter.type == "vhostuser" && keep_domain_vhost_net(domain, interface, adapter.model))
        return;
    if (const std::string why_not = why_no_adapter(domain, adapter); !why_not.empty()) {
        domain.drop(interface, why_not);
        return;
    }
    read_identity(domain, interface, adapter);
    if (adapter.is_on_socket())
        keep_on_socket(domain, interface, std::move(adapter));
    else
        set_net(domain, interface, std::move(adapter));
}

}  // namespace tapgate
