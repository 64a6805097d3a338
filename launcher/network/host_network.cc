// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/host_network.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <tuple>

#include "launcher/base/error.h"

namespace tapgate {

namespace {

// The kernel answers at once, however long the answer is; this is for a kernel in trouble.
constexpr timeval time_limit{5, 0};

// How often to ask again for a table that changed while it was being sent.
constexpr int most_attempts = 5;

struct FreeMessage {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
};
struct FreeSocket {
    void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};

using Message = std::unique_ptr<nl_msg, FreeMessage>;

// Called by libnl, which is C, so it must not throw; it terminates when there is no memory.
int keep_message(nl_msg* message, void* messages) noexcept {
    nlmsg_get(message);
    static_cast<std::vector<Message>*>(messages)->emplace_back(message);
    return NL_OK;
}

// A connection to the kernel's routing netlink.
class RouteSocket {
  public:
    RouteSocket() : socket_(nl_socket_alloc()) {
        if (!socket_)
            throw std::bad_alloc();
        check(nl_connect(socket_.get(), NETLINK_ROUTE), "no netlink socket");
        setsockopt(nl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_RCVTIMEO, &time_limit,
                   sizeof time_limit);
        nl_socket_enable_msg_peek(socket_.get());
    }

    // All messages of the kernel's table that `type` and `header` name.
    template <typename Header>
    std::vector<Message> dump(int type, Header header, const std::string& what) {
        for (int attempt = 1;; attempt++) {
            const Message request(nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP));
            if (!request ||
                nlmsg_append(request.get(), &header, sizeof header, NLMSG_ALIGNTO) != 0 ||
                (type == RTM_GETLINK &&
                 nla_put_u32(request.get(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) != 0))
                throw std::bad_alloc();
            std::vector<Message> messages;
            nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, keep_message, &messages);
            check(nl_send_auto(socket_.get(), request.get()), what);
            const int result = nl_recvmsgs_default(socket_.get());
            if (result == -NLE_DUMP_INTR && attempt < most_attempts)
                continue;
            // On a host where the table never stands still, a part of it is better than nothing.
            if (result != -NLE_DUMP_INTR)
                check(result, what);
            return messages;
        }
    }

  private:
    static void check(int result, const std::string& what) {
        if (result < 0)
            throw LauncherError("this host's network: " + what + ": " + nl_geterror(result));
    }

    std::unique_ptr<nl_sock, FreeSocket> socket_;
};

// The attributes after a message's `Header`, or those nested in an attribute; none when they are
// malformed.
template <size_t Size>
using Attributes = std::array<nlattr*, Size>;

template <size_t Size, typename Header>
Attributes<Size> attributes_of(const Message& message) {
    Attributes<Size> attributes{};
    if (nlmsg_parse(nlmsg_hdr(message.get()), sizeof(Header), attributes.data(), Size - 1,
                    nullptr) < 0)
        attributes.fill(nullptr);
    return attributes;
}

template <size_t Size>
Attributes<Size> nested(nlattr* nest) {
    Attributes<Size> attributes{};
    if (nest == nullptr || nla_parse_nested(attributes.data(), Size - 1, nest, nullptr) < 0)
        attributes.fill(nullptr);
    return attributes;
}

template <typename Header>
const Header* header_of(const Message& message) {
    nlmsghdr* const header = nlmsg_hdr(message.get());
    return nlmsg_valid_hdr(header, sizeof(Header)) != 0
               ? static_cast<const Header*>(nlmsg_data(header))
               : nullptr;
}

std::string string_in(const nlattr* attribute) {
    if (attribute == nullptr)
        return {};
    const auto size = static_cast<size_t>(nla_len(attribute));
    const auto* const text = static_cast<const char*>(nla_data(attribute));
    return {text, strnlen(text, size)};
}

std::uint32_t number_in(const nlattr* attribute) {
    std::uint32_t number = 0;  // little endian or not: as wide as the kernel made it
    if (attribute == nullptr)
        return 0;
    switch (nla_len(attribute)) {
        case sizeof(std::uint8_t):
            return nla_get_u8(attribute);
        case sizeof(std::uint16_t):
            return nla_get_u16(attribute);
        case sizeof(std::uint32_t):
            std::memcpy(&number, nla_data(attribute), sizeof number);
            return number;
        default:
            return 0;
    }
}

std::optional<MacAddress> mac_in(const nlattr* attribute) {
    MacAddress::Bytes bytes{};
    if (attribute == nullptr || nla_len(attribute) != static_cast<int>(bytes.size()))
        return std::nullopt;
    std::memcpy(bytes.data(), nla_data(attribute), bytes.size());
    return MacAddress::from_bytes(bytes);
}

// The address as inet_ntop(3) writes it; empty when it is malformed.
std::string address_in(const nlattr* attribute, int family) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int size = family == AF_INET6 ? sizeof(in6_addr) : sizeof(in_addr);
    if (attribute == nullptr || nla_len(attribute) != size ||
        inet_ntop(family, nla_data(attribute), text.data(), text.size()) == nullptr)
        return {};
    return text.data();
}

bool is_link_local(const std::string& address) {
    return address.starts_with("fe80:") || address.starts_with("169.254.");
}

BridgeFacts bridge_in(nlattr* data) {
    const auto attributes = nested<IFLA_BR_MAX + 1>(data);
    BridgeFacts bridge;
    bridge.stp = number_in(attributes[IFLA_BR_STP_STATE]) != 0;
    bridge.forward_delay = number_in(attributes[IFLA_BR_FORWARD_DELAY]);
    const nlattr* const id = attributes[IFLA_BR_BRIDGE_ID];
    if (id != nullptr && nla_len(id) == sizeof(ifla_bridge_id)) {
        const auto* const bytes = static_cast<const unsigned char*>(nla_data(id));
        for (size_t i = 0; i < sizeof(ifla_bridge_id); i++) {
            std::array<char, 4> digits{};
            std::snprintf(digits.data(), digits.size(), i == 2 ? ".%02x" : "%02x",
                          static_cast<unsigned>(bytes[i]));
            bridge.id += digits.data();
        }
    }
    return bridge;
}

PortFacts port_in(nlattr* data) {
    const auto attributes = nested<IFLA_BRPORT_MAX + 1>(data);
    PortFacts port;
    port.state = static_cast<std::uint8_t>(number_in(attributes[IFLA_BRPORT_STATE]));
    port.isolated = number_in(attributes[IFLA_BRPORT_ISOLATED]) != 0;
    port.guard = number_in(attributes[IFLA_BRPORT_GUARD]) != 0;
    port.root_block = number_in(attributes[IFLA_BRPORT_PROTECT]) != 0;
    port.locked = number_in(attributes[IFLA_BRPORT_LOCKED]) != 0;
    return port;
}

HostLink link_in(const Message& message, const ifinfomsg& header) {
    const auto attributes = attributes_of<IFLA_MAX + 1, ifinfomsg>(message);
    HostLink link;
    link.index = header.ifi_index;
    link.name = string_in(attributes[IFLA_IFNAME]);
    link.alias = string_in(attributes[IFLA_IFALIAS]);
    link.mac = mac_in(attributes[IFLA_ADDRESS]);
    link.mtu = number_in(attributes[IFLA_MTU]);
    link.master = static_cast<int>(number_in(attributes[IFLA_MASTER]));
    // The ifindex of a link in another network namespace would be misleading here.
    if (attributes[IFLA_LINK_NETNSID] == nullptr)
        link.below = static_cast<int>(number_in(attributes[IFLA_LINK]));
    link.up = (header.ifi_flags & IFF_UP) != 0;
    link.carrier = (header.ifi_flags & IFF_LOWER_UP) != 0;
    const auto info = nested<IFLA_INFO_MAX + 1>(attributes[IFLA_LINKINFO]);
    link.kind = string_in(info[IFLA_INFO_KIND]);
    if (link.kind == "bridge")
        link.bridge = bridge_in(info[IFLA_INFO_DATA]);
    if (link.kind == "tun") {
        const auto tun = nested<IFLA_TUN_MAX + 1>(info[IFLA_INFO_DATA]);
        if (tun[IFLA_TUN_OWNER] != nullptr)
            link.tap_owner = number_in(tun[IFLA_TUN_OWNER]);
    }
    if (link.kind == "vxlan") {
        const auto vxlan = nested<IFLA_VXLAN_MAX + 1>(info[IFLA_INFO_DATA]);
        link.tunnel_from = vxlan[IFLA_VXLAN_LOCAL6] != nullptr
                               ? address_in(vxlan[IFLA_VXLAN_LOCAL6], AF_INET6)
                               : address_in(vxlan[IFLA_VXLAN_LOCAL], AF_INET);
    }
    if (string_in(info[IFLA_INFO_SLAVE_KIND]) == "bridge")
        link.port = port_in(info[IFLA_INFO_SLAVE_DATA]);
    return link;
}

void add_addresses(RouteSocket& socket, HostNetwork& network) {
    for (const Message& message : socket.dump(RTM_GETADDR, ifaddrmsg{}, "its addresses")) {
        const auto* const header = header_of<ifaddrmsg>(message);
        if (header == nullptr || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
            continue;
        const auto attributes = attributes_of<IFA_MAX + 1, ifaddrmsg>(message);
        // On a point-to-point link, IFA_ADDRESS is the peer's.
        const nlattr* const own =
            attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
        HostAddress address;
        address.link = static_cast<int>(header->ifa_index);
        address.address = address_in(own, header->ifa_family);
        address.prefix = header->ifa_prefixlen;
        address.v6 = header->ifa_family == AF_INET6;
        address.link_local = is_link_local(address.address);
        constexpr std::uint8_t by_router = 2;  // IFAPROT_KERNEL_RA, Linux 5.18
        address.from_router = number_in(attributes[IFA_PROTO]) == by_router;
        address.leased = (number_in(attributes[IFA_FLAGS]) & IFA_F_PERMANENT) == 0;
        if (!address.address.empty())
            network.addresses.push_back(std::move(address));
    }
}

void add_routes(RouteSocket& socket, HostNetwork& network) {
    for (const Message& message : socket.dump(RTM_GETROUTE, rtmsg{}, "its routes")) {
        const auto* const header = header_of<rtmsg>(message);
        if (header == nullptr || header->rtm_dst_len != 0 || header->rtm_type != RTN_UNICAST ||
            header->rtm_table != RT_TABLE_MAIN)
            continue;
        const auto attributes = attributes_of<RTA_MAX + 1, rtmsg>(message);
        network.default_routes.push_back({static_cast<int>(number_in(attributes[RTA_OIF])),
                                          header->rtm_family == AF_INET6,
                                          header->rtm_protocol == RTPROT_RA});
    }
}

void add_neighbours(RouteSocket& socket, HostNetwork& network) {
    for (const Message& message : socket.dump(RTM_GETNEIGH, ndmsg{}, "its neighbours")) {
        const auto* const header = header_of<ndmsg>(message);
        if (header == nullptr ||
            (header->ndm_family != AF_INET && header->ndm_family != AF_INET6) ||
            (header->ndm_state & (NUD_FAILED | NUD_INCOMPLETE | NUD_NOARP)) != 0)
            continue;
        const auto attributes = attributes_of<NDA_MAX + 1, ndmsg>(message);
        const auto mac = mac_in(attributes[NDA_LLADDR]);
        const std::string address = address_in(attributes[NDA_DST], header->ndm_family);
        if (mac && !address.empty())
            network.neighbours.push_back({header->ndm_ifindex, address, *mac,
                                          header->ndm_family == AF_INET6, is_link_local(address),
                                          (header->ndm_state & NUD_REACHABLE) != 0});
    }
}

// The time since the last frame, in ms.
std::uint64_t age_in(const nlattr* attribute) {
    nda_cacheinfo info{};
    if (attribute == nullptr || nla_len(attribute) < static_cast<int>(sizeof info))
        return 0;
    std::memcpy(&info, nla_data(attribute), sizeof info);
    // In USER_HZ, whatever the kernel's own tick is.
    constexpr std::uint64_t milliseconds = 10;
    return info.ndm_updated * milliseconds;
}

void add_stations(RouteSocket& socket, HostNetwork& network) {
    // Kernels up to 5.0 require an ifinfomsg here (rtnl_fdb_dump() in net/core/rtnetlink.c), which
    // begins like an ndmsg.
    ifinfomsg bridges{};
    bridges.ifi_family = AF_BRIDGE;
    for (const Message& message :
         socket.dump(RTM_GETNEIGH, bridges, "its bridges' address tables")) {
        const auto* const header = header_of<ndmsg>(message);
        if (header == nullptr || header->ndm_family != AF_BRIDGE)
            continue;
        const auto attributes = attributes_of<NDA_MAX + 1, ndmsg>(message);
        // Without a master, the entry is a filter of the device's own, and not a bridge's.
        const auto mac = mac_in(attributes[NDA_LLADDR]);
        const auto bridge = static_cast<int>(number_in(attributes[NDA_MASTER]));
        if (!mac || bridge == 0)
            continue;
        const bool entered = (header->ndm_flags & NTF_EXT_LEARNED) != 0;
        const bool permanent = (header->ndm_state & NUD_PERMANENT) != 0;
        network.stations.push_back({.mac = *mac,
                                    .port = header->ndm_ifindex,
                                    .bridge = bridge,
                                    .own = permanent && !entered,
                                    .entered = entered,
                                    .age = age_in(attributes[NDA_CACHEINFO])});
    }
}

}  // namespace

const HostLink* HostNetwork::link(int index) const {
    const auto found = std::find_if(links.begin(), links.end(),
                                    [&](const HostLink& one) { return one.index == index; });
    return found == links.end() ? nullptr : &*found;
}

const HostLink* HostNetwork::link(std::string_view name) const {
    const auto found = std::find_if(links.begin(), links.end(),
                                    [&](const HostLink& one) { return one.name == name; });
    return found == links.end() ? nullptr : &*found;
}

std::vector<const HostLink*> HostNetwork::ports(int bridge) const {
    std::vector<const HostLink*> ports;
    for (const HostLink& one : links)
        if (one.master == bridge && one.port)
            ports.push_back(&one);
    return ports;
}

const Station* HostNetwork::station(const MacAddress& mac, int bridge) const {
    const auto found = std::find_if(stations.begin(), stations.end(), [&](const Station& one) {
        return one.mac == mac && one.bridge == bridge && !one.own;
    });
    return found == stations.end() ? nullptr : &*found;
}

std::vector<Neighbour> HostNetwork::neighbours_of(const MacAddress& mac, int bridge) const {
    std::vector<Neighbour> found;
    for (const Neighbour& one : neighbours) {
        const HostLink* const seen_from = link(one.link);
        if (one.mac == mac && seen_from != nullptr &&
            (seen_from->index == bridge || seen_from->below == bridge))
            found.push_back(one);
    }
    std::stable_sort(found.begin(), found.end(), [](const Neighbour& a, const Neighbour& b) {
        return std::tuple(a.link_local, !a.confirmed, a.v6) <
               std::tuple(b.link_local, !b.confirmed, b.v6);
    });
    return found;
}

HostNetwork host_network() {
    RouteSocket socket;
    HostNetwork network;
    for (const Message& message : socket.dump(RTM_GETLINK, ifinfomsg{}, "its links"))
        if (const auto* const header = header_of<ifinfomsg>(message))
            network.links.push_back(link_in(message, *header));
    add_addresses(socket, network);
    add_routes(socket, network);
    add_neighbours(socket, network);
    add_stations(socket, network);
    return network;
}

std::optional<PortTag> port_tag(const HostLink& link) {
    constexpr std::string_view start = "tapgate uid=";
    constexpr std::string_view vm_key = "vm=";
    constexpr std::string_view mac_key = "mac=";
    std::string_view text = link.alias;
    // Only a plain tap or the outer end of a contained one.
    if ((link.kind != "tun" && link.kind != "veth") || !text.starts_with(start))
        return std::nullopt;
    text.remove_prefix(start.size());
    PortTag tag;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), tag.owner);
    text.remove_prefix(static_cast<size_t>(stop - text.data()));
    if (error != std::errc() || (!text.empty() && text.front() != ' '))
        return std::nullopt;
    while (!text.empty()) {
        text.remove_prefix(1);  // a blank
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(word.size());
        if (word.starts_with(vm_key))
            tag.vm = VmName::parse(word.substr(vm_key.size()));
        if (word.starts_with(mac_key))
            tag.mac = MacAddress::parse(word.substr(mac_key.size()));
    }
    return tag;
}

std::string usable_address(const HostNetwork& network, const Neighbour& neighbour) {
    const HostLink* const link = network.link(neighbour.link);
    return neighbour.v6 && neighbour.link_local && link != nullptr
               ? neighbour.address + "%" + link->name
               : neighbour.address;
}

}  // namespace tapgate
