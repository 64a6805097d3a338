// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/link.h"

#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "helper/process.h"

namespace tapgate {

namespace {

// --- Messages to the kernel

ifinfomsg about_link(int index, unsigned set_flags = 0, unsigned unset_flags = 0) {
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_flags = set_flags;
    header.ifi_change = set_flags | unset_flags;
    return header;
}

NetlinkRequest get_request(int index) {
    NetlinkRequest request(RTM_GETLINK, 0, about_link(index));
    // Without the IPv6 statistics, which would be a third of the answer.
    request.put<std::uint32_t>(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return request;
}

// Sets flags of a port: each an IFLA_BRPORT_... attribute, and its value.
void put_port_flags(NetlinkRequest& request, const std::vector<std::pair<int, bool>>& flags) {
    request.nest(IFLA_LINKINFO, [&](NetlinkRequest& info) {
        info.put(IFLA_INFO_SLAVE_KIND, "bridge", sizeof "bridge");
        info.nest(IFLA_INFO_SLAVE_DATA, [&](NetlinkRequest& port) {
            for (const auto& [flag, value] : flags)
                port.put<std::uint8_t>(flag, value ? 1 : 0);
        });
    });
}

NetlinkRequest set_flags_request(int index, const PortSettings& settings) {
    NetlinkRequest request(RTM_NEWLINK, 0, about_link(index), "port flags");
    // Before the lock, learning is turned off and what was learnt is forgotten, in case something
    // else on the host has brought the port up: an address learnt earlier would still pass a locked
    // port. A port whose guest's address is known needs no flooded frames for unknown addresses.
    put_port_flags(request, {{IFLA_BRPORT_ISOLATED, settings.isolated},
                             {IFLA_BRPORT_GUARD, settings.guard},
                             {IFLA_BRPORT_PROTECT, settings.guard},
                             {IFLA_BRPORT_LEARNING, !settings.only_sender},
                             {IFLA_BRPORT_UNICAST_FLOOD, !settings.only_sender},
                             {IFLA_BRPORT_LOCKED, settings.only_sender.has_value()},
                             {IFLA_BRPORT_FLUSH, true}});
    return request;
}

// Drops what the bridge's own guard does not know, and would pass on to a switch behind the uplink:
// BPDUs of PVST+, before the bridge sees them. They are told by their group address alone, which no
// tag and no segmentation hides. Asked twice, the kernel replaces the filter by its like. (Who is
// root in a tap's namespace can have the kernel skip filters at the port, by an ifb:
// SECURITY.md says so.)
void put_bpdu_filter(std::vector<NetlinkRequest>& requests, int index) {
    // Classic BPF: at a port's ingress, offsets count from the MAC header (net/sched/cls_bpf.c).
    constexpr std::array<sock_filter, 6> program{{
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0100, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0ccccccd, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
        BPF_STMT(BPF_RET | BPF_K, static_cast<std::uint32_t>(TC_ACT_UNSPEC)),
    }};
    const auto put = [&](int type, const std::string& kind, unsigned parent, unsigned handle) {
        // The last word is a filter's place and protocol.
        const tcmsg head{0, 0, 0, index, handle, parent, TC_H_MAKE(1U << 16U, htons(ETH_P_ALL))};
        requests.emplace_back(type, NLM_F_CREATE, head, "guard (modprobe -a sch_ingress cls_bpf)");
        requests.back().put(TCA_KIND, kind);
    };
    put(RTM_NEWQDISC, "ingress", TC_H_INGRESS, 0);
    put(RTM_NEWTFILTER, "bpf", TC_H_MAKE(TC_H_INGRESS, 0U), 1);
    requests.back().nest(TCA_OPTIONS, [&](NetlinkRequest& options) {
        options.put(TCA_BPF_OPS, program.data(), sizeof program)
            .put<std::uint16_t>(TCA_BPF_OPS_LEN, program.size())
            .put<std::uint32_t>(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    });
}

// Keeps the host from accepting IPv4 on the port itself. The kernel does not pass a port's frames
// to 01:80:c2:00:00:0X on to the bridge and its filters, but hands them to the host as received on
// that port (br_handle_frame() in net/bridge/br_input.c). Two settings stop that: IPv4 to a single
// machine in a frame to a group is dropped; and so is IPv4 from any address, since strict reverse
// path filtering finds no address behind a port that has none. (The same holds with rp_filter=2,
// which sysctl.d may set: __fib_validate_source() in net/ipv4/fib_frontend.c.) SECURITY.md says
// what is left. For IPv6, see keep_ipv6_off().
void put_no_ipv4(NetlinkRequest& request) {
    request.nest(IFLA_AF_SPEC, [](NetlinkRequest& families) {
        families.nest(AF_INET, [](NetlinkRequest& ipv4) {
            ipv4.nest(IFLA_INET_CONF, [](NetlinkRequest& settings) {
                settings.put<std::uint32_t>(IPV4_DEVCONF_RP_FILTER, 1)
                    .put<std::uint32_t>(IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST, 1);
            });
        });
    });
}

// Adds the port `index` to VLANs or takes it out, as "vlan add" and "vlan del" of bridge(8) do.
NetlinkRequest vlan_request(int type, int index, const std::vector<bridge_vlan_info>& vlans) {
    ifinfomsg header = about_link(index);
    header.ifi_family = AF_BRIDGE;
    NetlinkRequest request(type, 0, header, "vlan");
    request.nest(IFLA_AF_SPEC, [&](NetlinkRequest& spec) {
        for (const bridge_vlan_info& vlan : vlans)
            spec.put(IFLA_BRIDGE_VLAN_INFO, &vlan, sizeof vlan);
    });
    return request;
}

// Makes a static FDB entry: `mac` is behind the port `index`. NLM_F_EXCL, since an address that the
// bridge already knows belongs to another machine, whose frames would come here from then on.
// Sticky (Linux 4.20), since a static entry would otherwise move to any other port where a frame
// from that address arrives (br_fdb_update() in net/bridge/br_fdb.c): the guest would be locked
// out, and the entry would outlive the tap.
NetlinkRequest fdb_request(int index, const MacAddress& mac) {
    const ndmsg header{AF_BRIDGE, 0, 0, index, NUD_NOARP, NTF_MASTER | NTF_STICKY, 0};
    NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, header, "mac-lock");
    request.put(NDA_LLADDR, mac);
    return request;
}

// --- Answers

template <size_t Size>
std::array<nlattr*, Size> parse_nested(nlattr* nest) {
    std::array<nlattr*, Size> attributes{};
    if (nla_parse_nested(attributes.data(), Size - 1, nest, nullptr) < 0)
        throw LinkError(EBADMSG, "");
    return attributes;
}

std::optional<bool> flag(const nlattr* attribute) {
    return attribute == nullptr ? std::nullopt : std::optional(nla_get_u8(attribute) != 0);
}

void parse_port(nlattr* data, PortFlags& port) {
    const auto attributes = parse_nested<IFLA_BRPORT_LOCKED + 1>(data);
    port.isolated = flag(attributes[IFLA_BRPORT_ISOLATED]);
    port.guard = flag(attributes[IFLA_BRPORT_GUARD]);
    port.root_block = flag(attributes[IFLA_BRPORT_PROTECT]);
    port.learning = flag(attributes[IFLA_BRPORT_LEARNING]);
    port.locked = flag(attributes[IFLA_BRPORT_LOCKED]);
}

void parse_details(nlattr* linkinfo, Link& link) {
    const auto details = parse_nested<IFLA_INFO_SLAVE_DATA + 1>(linkinfo);
    if (const nlattr* kind = details[IFLA_INFO_KIND])
        link.kind = nla_get_string(kind);
    if (nlattr* data = details[IFLA_INFO_DATA]; data != nullptr && link.kind == "bridge") {
        const auto bridge = parse_nested<IFLA_BR_BRIDGE_ID + 1>(data);
        if (const nlattr* stp = bridge[IFLA_BR_STP_STATE])
            link.stp = nla_get_u32(stp) == 1;  // BR_KERNEL_STP in net/bridge/br_private.h
        // A provider's bridge (802.1ad) has a group of its own for that, and takes the BPDUs of its
        // customers, which are everybody else's, for frames like any (br_recalculate_fwd_mask() in
        // net/bridge/br_vlan.c), once it filters VLANs.
        if (const nlattr* tag = bridge[IFLA_BR_VLAN_PROTOCOL])
            link.stp &= nla_get_u16(tag) == htons(ETH_P_8021Q);
        link.vlan_filtering = flag(bridge[IFLA_BR_VLAN_FILTERING]).value_or(false);
        if (const nlattr* id = bridge[IFLA_BR_BRIDGE_ID])
            std::memcpy(link.id_address.data(),
                        static_cast<const ifla_bridge_id*>(nla_data(id))->addr,
                        link.id_address.size());
    }
    const nlattr* master_kind = details[IFLA_INFO_SLAVE_KIND];
    nlattr* port = details[IFLA_INFO_SLAVE_DATA];
    if (master_kind != nullptr && port != nullptr &&
        std::strcmp(nla_get_string(master_kind), "bridge") == 0)
        parse_port(port, link.port);
}

Link parse_link(nlmsghdr* header) {
    std::array<nlattr*, IFLA_MAX + 1> attributes{};
    if (nlmsg_parse(header, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) < 0)
        throw LinkError(EBADMSG, "");
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
    Link link;
    link.index = info->ifi_index;
    link.up = (info->ifi_flags & static_cast<unsigned>(IFF_UP)) != 0;
    if (const nlattr* name = attributes[IFLA_IFNAME])
        link.name = nla_get_string(name);
    if (const nlattr* mtu = attributes[IFLA_MTU])
        link.mtu = nla_get_u32(mtu);
    if (const nlattr* master = attributes[IFLA_MASTER])
        link.master = static_cast<int>(nla_get_u32(master));
    if (const nlattr* alias = attributes[IFLA_IFALIAS])
        link.alias = nla_get_string(alias);
    if (nlattr* address = attributes[IFLA_ADDRESS])
        if (static_cast<size_t>(nla_len(address)) == link.address.size())
            std::memcpy(link.address.data(), nla_data(address), link.address.size());
    if (nlattr* linkinfo = attributes[IFLA_LINKINFO])
        parse_details(linkinfo, link);
    return link;
}

// --- Exchanges

// The link that the last of `requests` asks for.
Link exchange_for_link(int socket, std::vector<NetlinkRequest>& requests) {
    Link answer;
    exchange(socket, requests, [&](nlmsghdr* header) {
        answer = parse_link(header);
        return false;
    });
    return answer;
}

// The last of `requests` must ask for an acknowledgement.
void exchange_for_acknowledgement(int socket, std::vector<NetlinkRequest>& requests) {
    exchange(socket, requests, [](nlmsghdr*) { return true; });
}

ifreq about(const std::string& name, void* data) {
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = static_cast<char*>(data);
    return request;
}

// The leaf bridge's ifindex: chosen here, so that the same packet can make ports of that bridge.
constexpr int leaf_index = 1'000'000;

}  // namespace

Link LinkSocket::get(const std::string& name) const {
    std::vector<NetlinkRequest> requests;
    requests.push_back(get_request(0));
    requests[0].put(IFLA_IFNAME, name);
    return exchange_for_link(fd(), requests);
}

std::vector<std::string> LinkSocket::names() const {
    std::vector<NetlinkRequest> requests;
    requests.emplace_back(RTM_GETLINK, NLM_F_DUMP, about_link(0));
    requests[0].put<std::uint32_t>(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::vector<std::string> names;
    exchange(fd(), requests, [&](nlmsghdr* header) {
        names.push_back(parse_link(header).name);
        return true;
    });
    return names;
}

std::vector<int> LinkSocket::ports(const std::string& bridge) const {
    // By port number, up to BR_MAX_PORTS in net/bridge/br_private.h; 0 where there is no port.
    std::vector<int> by_number(1024);
    std::array<unsigned long, 4> question = {
        BRCTL_GET_PORT_LIST, reinterpret_cast<unsigned long>(by_number.data()), by_number.size()};
    ifreq request = about(bridge, question.data());
    if (ioctl(fd(), SIOCDEVPRIVATE, &request) < 0)
        throw LinkError(errno, "the ports of " + printable(bridge));
    std::erase(by_number, 0);
    return by_number;
}

int LinkSocket::index_of(const std::string& name) const {
    ifreq request = about(name, nullptr);
    return ioctl(fd(), SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

std::string LinkSocket::name_of(int index) const {
    ifreq request{};
    request.ifr_ifindex = index;
    return ioctl(fd(), SIOCGIFNAME, &request) == 0 ? request.ifr_name : "";
}

// Unlike IFF_RUNNING, which lags behind by up to a second (net/core/link_watch.c), this is exact.
bool LinkSocket::may_have_carrier(const std::string& name) const {
    ethtool_value carrier{};
    carrier.cmd = ETHTOOL_GLINK;
    ifreq request = about(name, &carrier);
    return ioctl(fd(), SIOCETHTOOL, &request) != 0 || carrier.data != 0;
}

int LinkSocket::make_veth(const std::string& name, const PortSettings& settings, unsigned queues,
                          const LinkSocket& inside) const {
    // The namespace of the socket (linux/sockios.h, since Linux 4.10).
    const UniqueFd space(ioctl(inside.fd(), SIOCGSKNS));
    if (!space)
        throw LinkError(errno, "the tap's namespace");
    const auto put_queues = [&](NetlinkRequest& end) {
        end.put<std::uint32_t>(IFLA_NUM_TX_QUEUES, queues)
            .put<std::uint32_t>(IFLA_NUM_RX_QUEUES, queues)
            .put(IFLA_MTU, settings.mtu);
    };
    // The ifindex is chosen here, not looked up by name afterwards: the pair's user, who may enter
    // the namespace, can delete the pair at any moment, and then another helper's port may have the
    // name.
    const int index = random_ifindex();
    std::vector<NetlinkRequest> requests;
    requests.emplace_back(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, about_link(index),
                          name + " and " + inner_end);
    requests[0].put(IFLA_IFNAME, name).put(IFLA_ADDRESS, settings.address);
    put_queues(requests[0]);
    requests[0].nest(IFLA_LINKINFO, [&](NetlinkRequest& info) {
        info.put(IFLA_INFO_KIND, std::string("veth"));
        info.nest(IFLA_INFO_DATA, [&](NetlinkRequest& data) {
            data.nest(VETH_INFO_PEER, [&](NetlinkRequest& peer) {
                const ifinfomsg header = about_link(0);
                peer.append(&header, sizeof header);
                peer.put(IFLA_IFNAME, std::string(inner_end));
                peer.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(space.get()));
                put_queues(peer);
            });
        });
    });
    try {
        exchange_for_acknowledgement(fd(), requests);
        return index;
    } catch (const LinkError& error) {
        // Either the name or the ifindex is taken; unless inner_end is, by a user who got in first.
        if (error.code().value() == EEXIST && inside.index_of(inner_end) == 0)
            return 0;
        throw;
    }
}

void LinkSocket::join_inner_end(const std::string& name, unsigned mtu) const {
    std::vector<NetlinkRequest> requests;
    // Promiscuous, so that it passes on copies of frames. Otherwise each refers to the socket that
    // sent it, here the tap's, and through that to this namespace, until its receiver lets it go:
    // he could keep its port, and its slot, for as long as he likes. (Leaving a namespace does not
    // end that: skb_scrub_packet() in net/core/skbuff.c.)
    requests.emplace_back(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                          about_link(leaf_index, IFF_UP | IFF_PROMISC), "the leaf bridge");
    requests.back().put(IFLA_IFNAME, std::string("leaf"));
    requests.back().nest(IFLA_LINKINFO, [&](NetlinkRequest& info) {
        info.put(IFLA_INFO_KIND, std::string("bridge"));
        info.nest(IFLA_INFO_DATA, [&](NetlinkRequest& data) {
            // Which group addresses pass is for the host's bridge to decide. The kernel does not
            // let a bridge forward the first three (BR_GROUPFWD_RESTRICTED in
            // net/bridge/br_private.h).
            data.put<std::uint16_t>(IFLA_BR_GROUP_FWD_MASK, 0xfff8);
            // With several hundred taps, snooping's timers would keep the host's network lock busy.
            data.put<std::uint8_t>(IFLA_BR_MCAST_SNOOPING, 0);
        });
    });
    const auto join = [&](const std::string& port, const char* step, int last) {
        requests.emplace_back(RTM_NEWLINK, 0, about_link(0, IFF_UP), step);
        requests.back().put(IFLA_IFNAME, port).put(IFLA_MTU, mtu);
        requests.back().put<std::uint32_t>(IFLA_MASTER, leaf_index);
        // The bridge is a pipe: it need not learn who is where. (An ageing time of 0 would do that
        // too, but makes the kernel look for entries to remove a hundred times a second.)
        requests.emplace_back(RTM_NEWLINK, last, about_link(0), step);
        put_port_flags(requests.back().put(IFLA_IFNAME, port), {{IFLA_BRPORT_LEARNING, false}});
    };
    join(inner_end, "the inner end", 0);
    join(name, "the tap", NLM_F_ACK);
    exchange_for_acknowledgement(fd(), requests);
}

Link LinkSocket::configure(int index, const std::string& name, const PortSettings& settings,
                           const std::vector<MacAddress>& bridge_addresses) const {
    // Successful requests are not acknowledged. The kernel reads them in order, so the answer to
    // the last one, the link as it is then, says that the exchange is complete.
    std::vector<NetlinkRequest> requests;
    for (const MacAddress& address : bridge_addresses) {
        requests.emplace_back(RTM_NEWLINK, 0, about_link(settings.master), "the bridge's own MAC");
        requests.back().put(IFLA_ADDRESS, address);
    }
    // Its user, who may enter the tap's namespace, can delete the pair; and some kernels let him
    // have a link of his own in this one, with any ifindex and name, and up (SECURITY.md). So the
    // link is taken down and gets its name, which is what counts, before it becomes a port, in the
    // same step. And once before: old kernels give no name to a link that is up, and a daemon of
    // root's may bring up any new link, a plain tap too.
    const ifinfomsg down = about_link(index, settings.contained ? IFF_NOARP : 0, IFF_UP);
    requests.emplace_back(RTM_NEWLINK, 0, down);
    requests.emplace_back(RTM_NEWLINK, 0, down);
    requests.back()
        .put(IFLA_IFNAME, name)
        .put(IFLA_ADDRESS, settings.address)
        .put(IFLA_MTU, settings.mtu)
        .put(IFLA_MASTER, static_cast<std::uint32_t>(settings.master))
        .put(IFLA_IFALIAS, settings.alias.data(), settings.alias.size());
    if (settings.contained)
        put_no_ipv4(requests.back());
    if (settings.isolated || settings.guard || settings.only_sender)
        requests.push_back(set_flags_request(index, settings));
    if (settings.guard)
        put_bpdu_filter(requests, index);
    if (settings.vlan) {
        // First leave all VLANs: whatever the bridge's default VLAN is, the port may be in it.
        requests.push_back(
            vlan_request(RTM_DELLINK, index,
                         {{BRIDGE_VLAN_INFO_RANGE_BEGIN, 1}, {BRIDGE_VLAN_INFO_RANGE_END, 4094}}));
        requests.push_back(
            vlan_request(RTM_SETLINK, index,
                         {{BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, *settings.vlan}}));
    }
    if (settings.only_sender)  // after the VLAN, since the entry is made in it
        requests.push_back(fdb_request(index, *settings.only_sender));
    requests.push_back(get_request(index));
    return exchange_for_link(fd(), requests);
}

Link LinkSocket::set_address(int index, const MacAddress& address, bool up) const {
    std::vector<NetlinkRequest> requests;
    requests.emplace_back(RTM_NEWLINK, 0, about_link(index, up ? IFF_UP : 0));
    requests.back().put(IFLA_ADDRESS, address);
    requests.push_back(get_request(index));
    return exchange_for_link(fd(), requests);
}

void LinkSocket::remove(int index) const {
    std::vector<NetlinkRequest> requests;
    requests.emplace_back(RTM_DELLINK, NLM_F_ACK, about_link(index));
    exchange_for_acknowledgement(fd(), requests);
}

}  // namespace tapgate
