// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/link.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/utils.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <new>

#include "helper/failure.h"

namespace tapgate {

namespace {

// --- Messages to the kernel

struct FreeMessage {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
};

// libnl reports a full message, and nothing else, from its nla_put functions.
void must_fit(int result) {
    if (result < 0)
        throw LinkError(EMSGSIZE, "");
}

// One message, and what it is for.
class LinkRequest {
  public:
    template <typename Header>
    LinkRequest(int type, int flags, const Header& header, std::string step = "")
        : message_(nlmsg_alloc_size(room)), step_(std::move(step)) {
        nlmsghdr* start =
            message_ ? nlmsg_put(message_.get(), 0, 0, type, sizeof header, NLM_F_REQUEST | flags)
                     : nullptr;
        if (start == nullptr)
            throw std::bad_alloc();
        std::memcpy(nlmsg_data(start), &header, sizeof header);
    }

    LinkRequest& put(int attribute, const void* data, size_t size) {
        must_fit(nla_put(message_.get(), attribute, static_cast<int>(size), data));
        return *this;
    }
    template <typename Integer>
    LinkRequest& put(int attribute, Integer value) {
        return put(attribute, &value, sizeof value);
    }
    LinkRequest& put(int attribute, const std::string& text) {
        return put(attribute, text.c_str(), text.size() + 1);
    }
    LinkRequest& put(int attribute, const MacAddress& mac) {
        return put(attribute, mac.bytes().data(), mac.bytes().size());
    }
    // What `fill` puts stands inside of `attribute`.
    LinkRequest& nest(int attribute, const std::function<void(LinkRequest&)>& fill) {
        nlattr* start = nla_nest_start(message_.get(), attribute | NLA_F_NESTED);
        must_fit(start == nullptr ? -1 : 0);
        fill(*this);
        nla_nest_end(message_.get(), start);
        return *this;
    }

    [[nodiscard]] nlmsghdr* header() const { return nlmsg_hdr(message_.get()); }
    [[nodiscard]] const std::string& step() const { return step_; }

  private:
    static constexpr size_t room = 1024;  // the longest: names, an address, an alias
    std::unique_ptr<nl_msg, FreeMessage> message_;
    std::string step_;
};

ifinfomsg about_link(int index, unsigned set_flags = 0) {
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_flags = set_flags;
    header.ifi_change = set_flags;
    return header;
}

ifinfomsg about_port(int index) {
    ifinfomsg header = about_link(index);
    header.ifi_family = AF_BRIDGE;
    return header;
}

// Links are named, where the kernel allows it, since a tap's index would cost a call to ask for.
LinkRequest get_request(const std::string& name) {
    LinkRequest request(RTM_GETLINK, 0, about_link(0));
    // The IPv6 statistics are a third of an answer.
    request.put(IFLA_IFNAME, name).put<std::uint32_t>(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return request;
}

LinkRequest set_flags_request(const std::string& name, const PortSettings& settings) {
    LinkRequest request(RTM_NEWLINK, 0, about_link(0), "port flags");
    request.put(IFLA_IFNAME, name).nest(IFLA_LINKINFO, [&](LinkRequest& info) {
        info.put(IFLA_INFO_SLAVE_KIND, "bridge", sizeof "bridge");
        info.nest(IFLA_INFO_SLAVE_DATA, [&](LinkRequest& port) {
            if (settings.isolated)
                port.put<std::uint8_t>(IFLA_BRPORT_ISOLATED, 1);
            if (settings.guard)
                port.put<std::uint8_t>(IFLA_BRPORT_GUARD, 1)
                    .put<std::uint8_t>(IFLA_BRPORT_PROTECT, 1);
            // Learning goes first and while the port is down: an address that was learnt once would
            // go on to pass a locked port.
            if (settings.only_sender)
                port.put<std::uint8_t>(IFLA_BRPORT_LEARNING, 0)
                    .put<std::uint8_t>(IFLA_BRPORT_LOCKED, 1);
        });
    });
    return request;
}

// Makes the port `index` a member of (or no longer one of) a VLAN: bridge(8)'s "vlan add ... pvid
// untagged" and "vlan del".
LinkRequest vlan_request(int type, int index, std::uint16_t vlan) {
    bridge_vlan_info info{};
    info.vid = vlan;
    if (type == RTM_SETLINK)
        info.flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
    LinkRequest request(type, 0, about_port(index), "vlan=" + std::to_string(vlan));
    request.nest(IFLA_AF_SPEC,
                 [&](LinkRequest& spec) { spec.put(IFLA_BRIDGE_VLAN_INFO, &info, sizeof info); });
    return request;
}

// A static FDB entry: `mac` is behind the port `index`. NLM_F_EXCL, since an address that the
// bridge already knows is some other machine's, whose frames would come here from now on. Sticky
// (Linux 4.20), since a static entry would otherwise move to whichever other port a frame of that
// source came in by (br_fdb_update() in net/bridge/br_fdb.c): the guest would be locked out, and
// the entry would outlive the tap.
LinkRequest fdb_request(int index, const MacAddress& mac) {
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = index;
    header.ndm_state = NUD_NOARP;
    header.ndm_flags = NTF_MASTER | NTF_STICKY;
    LinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, header, "mac-lock");
    request.put(NDA_LLADDR, mac);
    return request;
}

// --- Answers

template <size_t Size>
using Attributes = std::array<nlattr*, Size>;

template <size_t Size>
Attributes<Size> parse_nested(nlattr* nest) {
    Attributes<Size> attributes{};
    if (nla_parse_nested(attributes.data(), Size - 1, nest, nullptr) < 0)
        throw LinkError(EBADMSG, "");
    return attributes;
}

std::optional<bool> flag(const nlattr* attribute) {
    if (attribute == nullptr)
        return std::nullopt;
    return nla_get_u8(attribute) != 0;
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
        const auto bridge = parse_nested<IFLA_BR_VLAN_DEFAULT_PVID + 1>(data);
        if (const nlattr* stp = bridge[IFLA_BR_STP_STATE])
            link.stp = nla_get_u32(stp) != 0;
        link.vlan_filtering = flag(bridge[IFLA_BR_VLAN_FILTERING]).value_or(false);
        if (const nlattr* id = bridge[IFLA_BR_BRIDGE_ID])
            std::memcpy(link.id_address.data(),
                        static_cast<const ifla_bridge_id*>(nla_data(id))->addr,
                        link.id_address.size());
        if (const nlattr* vlan = bridge[IFLA_BR_VLAN_DEFAULT_PVID])
            link.default_vlan = nla_get_u16(vlan);
    } else if (data != nullptr && link.kind == "tun") {
        const auto tun = parse_nested<IFLA_TUN_NUM_DISABLED_QUEUES + 1>(data);
        link.multi_queue = flag(tun[IFLA_TUN_MULTI_QUEUE]).value_or(false);
        link.vnet_header = flag(tun[IFLA_TUN_VNET_HDR]).value_or(false);
        for (const int count : {IFLA_TUN_NUM_QUEUES, IFLA_TUN_NUM_DISABLED_QUEUES})
            if (const nlattr* queues = tun[static_cast<size_t>(count)])
                link.queues += nla_get_u32(queues);
    }
    const nlattr* master_kind = details[IFLA_INFO_SLAVE_KIND];
    nlattr* port = details[IFLA_INFO_SLAVE_DATA];
    if (master_kind != nullptr && port != nullptr &&
        std::strcmp(nla_get_string(master_kind), "bridge") == 0)
        parse_port(port, link.port);
}

Link parse_link(nlmsghdr* header) {
    Attributes<IFLA_MAX + 1> attributes{};
    if (nlmsg_parse(header, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) < 0)
        throw LinkError(EBADMSG, "");
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
    Link link;
    link.index = info->ifi_index;
    link.up = (info->ifi_flags & static_cast<unsigned>(IFF_UP)) != 0;
    link.carrier = (info->ifi_flags & static_cast<unsigned>(IFF_LOWER_UP)) != 0;
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
    if (nlattr* names = attributes[IFLA_PROP_LIST]) {
        int left = nla_len(names);
        for (auto* name = static_cast<nlattr*>(nla_data(names)); nla_ok(name, left) != 0;
             name = nla_next(name, &left))
            if (nla_type(name) == IFLA_ALT_IFNAME)
                link.altnames.emplace_back(nla_get_string(name));
    }
    if (nlattr* linkinfo = attributes[IFLA_LINKINFO])
        parse_details(linkinfo, link);
    return link;
}

// --- Exchanges

// Sends the requests in one packet and takes answers until `take` has had enough of them or the
// last request is acknowledged. `take` gets links and says whether there may be more. The kernel
// reads the requests in order and answers only those that ask for something, or fail.
void exchange(int socket, std::vector<LinkRequest>& requests,
              const std::function<bool(Link)>& take) {
    std::vector<iovec> parts;
    for (LinkRequest& request : requests) {
        nlmsghdr* header = request.header();
        header->nlmsg_seq = static_cast<std::uint32_t>(parts.size());
        parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
    }
    msghdr packet{};
    packet.msg_iov = parts.data();
    packet.msg_iovlen = parts.size();
    if (sendmsg(socket, &packet, 0) < 0)
        throw LinkError(errno, "");

    // The kernel never makes a packet of more than 32 KiB of these.
    alignas(nlmsghdr) std::array<char, 32768> buffer;  // NOLINT: filled by recvfrom()
    sockaddr_nl sender{};
    for (;;) {
        socklen_t sender_size = sizeof sender;
        const ssize_t got = recvfrom(socket, buffer.data(), buffer.size(), MSG_TRUNC,
                                     reinterpret_cast<sockaddr*>(&sender), &sender_size);
        if (got < 0)
            throw LinkError(errno, "");
        if (static_cast<size_t>(got) > buffer.size())
            throw LinkError(EMSGSIZE, "");
        if (sender.nl_pid != 0)
            continue;  // not the kernel
        int left = static_cast<int>(got);
        for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, left) != 0;
             header = nlmsg_next(header, &left)) {
            if (header->nlmsg_type == NLMSG_DONE)
                return;
            if (header->nlmsg_type == NLMSG_ERROR) {
                const auto* answer = static_cast<const nlmsgerr*>(nlmsg_data(header));
                if (answer->error == 0)
                    return;
                if (header->nlmsg_seq >= requests.size())
                    throw LinkError(EPROTO, "");
                throw LinkError(-answer->error, requests[header->nlmsg_seq].step());
            }
            if (header->nlmsg_type == RTM_NEWLINK && !take(parse_link(header)))
                return;
        }
    }
}

// The link that the last of `requests` asks for.
Link exchange_for_link(int socket, std::vector<LinkRequest>& requests) {
    Link answer;
    exchange(socket, requests, [&](Link link) {
        answer = std::move(link);
        return false;
    });
    return answer;
}

ifreq about(const std::string& name, void* data) {
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = static_cast<char*>(data);
    return request;
}

}  // namespace

LinkSocket::LinkSocket() : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    if (!socket_)
        fail_with_errno("failed to open control socket");
    // Where libnl is a shared library, its constructor has read NLDBG from the caller's environment
    // before main(), and would print addresses for it. In the static helper it has no constructor.
    nl_debug = 0;
}

Link LinkSocket::get(const std::string& name) const {
    std::vector<LinkRequest> requests;
    requests.push_back(get_request(name));
    return exchange_for_link(socket_.get(), requests);
}

std::vector<Link> LinkSocket::all() const {
    std::vector<LinkRequest> requests;
    requests.emplace_back(RTM_GETLINK, NLM_F_DUMP, about_link(0));
    requests[0].put<std::uint32_t>(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::vector<Link> links;
    exchange(socket_.get(), requests, [&](Link link) {
        links.push_back(std::move(link));
        return true;
    });
    return links;
}

std::vector<int> LinkSocket::ports(const std::string& bridge) const {
    constexpr size_t most = 1024;      // BR_MAX_PORTS in net/bridge/br_private.h
    std::vector<int> by_number(most);  // 0: no port has the number
    std::array<unsigned long, 4> question = {
        BRCTL_GET_PORT_LIST, reinterpret_cast<unsigned long>(by_number.data()), most};
    ifreq request = about(bridge, question.data());
    if (ioctl(socket_.get(), SIOCDEVPRIVATE, &request) < 0)
        throw LinkError(errno, "");
    by_number.erase(std::remove(by_number.begin(), by_number.end(), 0), by_number.end());
    return by_number;
}

std::string LinkSocket::name_of(int index) const {
    ifreq request{};
    request.ifr_ifindex = index;
    return ioctl(socket_.get(), SIOCGIFNAME, &request) == 0 ? request.ifr_name : "";
}

// The flags that ioctls tell lag behind by up to a second (net/core/link_watch.c); this does not.
bool LinkSocket::may_have_carrier(const std::string& name) const {
    ethtool_value carrier{};
    carrier.cmd = ETHTOOL_GLINK;
    ifreq request = about(name, &carrier);
    return ioctl(socket_.get(), SIOCETHTOOL, &request) != 0 || carrier.data != 0;
}

void LinkSocket::add_altname(const std::string& name, const std::string& altname) const {
    std::vector<LinkRequest> requests;
    requests.emplace_back(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND | NLM_F_ACK,
                          about_link(0));
    requests[0].put(IFLA_IFNAME, name).nest(IFLA_PROP_LIST, [&](LinkRequest& list) {
        list.put(IFLA_ALT_IFNAME, altname);
    });
    exchange(socket_.get(), requests, [](const Link&) { return true; });
}

Link LinkSocket::set_address(const std::string& name, const MacAddress& address) const {
    std::vector<LinkRequest> requests;
    requests.emplace_back(RTM_NEWLINK, 0, about_link(0));
    requests.back().put(IFLA_IFNAME, name).put(IFLA_ADDRESS, address);
    requests.push_back(get_request(name));
    return exchange_for_link(socket_.get(), requests);
}

Link LinkSocket::make_port(const std::string& name, const PortSettings& settings) const {
    // A port with options is made while it is down, and comes up behind them all. Without options
    // one RTM_NEWLINK does everything: the kernel takes the attributes in the order address, MTU,
    // alias, master, and the flags last (do_setlink() in net/core/rtnetlink.c), so it comes up as a
    // port, too.
    const bool flags = settings.isolated || settings.guard || settings.only_sender;
    const bool options = flags || settings.vlan;
    const int index = settings.only_sender || settings.vlan ? get(name).index : 0;

    // Nothing is acknowledged that succeeds: the last request, which the kernel reads last, answers
    // with the result.
    std::vector<LinkRequest> requests;
    for (const MacAddress& address : settings.bridge_addresses) {
        requests.emplace_back(RTM_NEWLINK, 0, about_link(settings.master), "the bridge's own MAC");
        requests.back().put(IFLA_ADDRESS, address);
    }
    requests.emplace_back(RTM_NEWLINK, 0, about_link(0, options ? 0 : IFF_UP));
    requests.back()
        .put(IFLA_IFNAME, name)
        .put(IFLA_ADDRESS, settings.address)
        .put(IFLA_MTU, settings.mtu)
        .put(IFLA_MASTER, static_cast<std::uint32_t>(settings.master))
        .put(IFLA_IFALIAS, settings.alias.data(), settings.alias.size());
    if (flags)
        requests.push_back(set_flags_request(name, settings));
    if (settings.vlan) {
        requests.push_back(vlan_request(RTM_SETLINK, index, *settings.vlan));
        if (settings.default_vlan != 0 && settings.default_vlan != *settings.vlan)
            requests.push_back(vlan_request(RTM_DELLINK, index, settings.default_vlan));
    }
    if (settings.only_sender)  // behind the VLAN, which the entry is made in
        requests.push_back(fdb_request(index, *settings.only_sender));
    if (options) {
        requests.emplace_back(RTM_NEWLINK, 0, about_link(0, IFF_UP));
        requests.back().put(IFLA_IFNAME, name);
    }
    requests.push_back(get_request(name));
    return exchange_for_link(socket_.get(), requests);
}

}  // namespace tapgate
