// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/link.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <system_error>
#include <vector>

#include "helper/failure.h"

namespace tapgate {

namespace {

struct FreeMessage {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

[[noreturn]] void refused(int error_number) {
    throw std::system_error(error_number, std::generic_category());
}

// libnl reports a full buffer, and nothing else, from its nla_put functions.
void must_fit(int result) {
    if (result < 0)
        refused(EMSGSIZE);
}

// A request about the link `name`. By name, since the tap's index would cost a call to ask for.
Message link_request(int type, std::uint32_t sequence, const std::string& name,
                     unsigned set_flags) {
    constexpr size_t room = 1024;  // the longest: a name, an address, an alias of at most 255 bytes
    Message message(nlmsg_alloc_size(room));
    nlmsghdr* header =
        message ? nlmsg_put(message.get(), 0, sequence, type, sizeof(ifinfomsg), NLM_F_REQUEST)
                : nullptr;
    if (header == nullptr)
        throw std::bad_alloc();
    ifinfomsg info{};
    info.ifi_family = AF_UNSPEC;
    info.ifi_flags = set_flags;
    info.ifi_change = set_flags;
    std::memcpy(nlmsg_data(header), &info, sizeof info);
    must_fit(nla_put_string(message.get(), IFLA_IFNAME, name.c_str()));
    return message;
}

Message get_request(std::uint32_t sequence, const std::string& name) {
    Message message = link_request(RTM_GETLINK, sequence, name, 0);
    // The IPv6 statistics are a third of an answer.
    must_fit(nla_put_u32(message.get(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS));
    return message;
}

Link parse_link(nlmsghdr* header) {
    std::array<nlattr*, IFLA_MAX + 1> attributes{};
    if (nlmsg_parse(header, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) < 0)
        refused(EBADMSG);
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
    Link link;
    link.index = info->ifi_index;
    link.up = (info->ifi_flags & static_cast<unsigned>(IFF_UP)) != 0;
    if (const nlattr* mtu = attributes[IFLA_MTU])
        link.mtu = nla_get_u32(mtu);
    if (const nlattr* master = attributes[IFLA_MASTER])
        link.master = static_cast<int>(nla_get_u32(master));
    if (const nlattr* alias = attributes[IFLA_IFALIAS])
        link.alias = nla_get_string(alias);
    if (nlattr* address = attributes[IFLA_ADDRESS])
        if (static_cast<size_t>(nla_len(address)) == link.address.size())
            std::memcpy(link.address.data(), nla_data(address), link.address.size());
    if (nlattr* linkinfo = attributes[IFLA_LINKINFO]) {
        std::array<nlattr*, IFLA_INFO_MAX + 1> details{};
        if (nla_parse_nested(details.data(), IFLA_INFO_MAX, linkinfo, nullptr) < 0)
            refused(EBADMSG);
        if (const nlattr* kind = details[IFLA_INFO_KIND])
            link.kind = nla_get_string(kind);
    }
    return link;
}

void send_requests(int socket, std::span<const Message> requests) {
    std::vector<iovec> parts;
    for (const Message& request : requests) {
        nlmsghdr* header = nlmsg_hdr(request.get());
        parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (sendmsg(socket, &message, 0) < 0)
        refused(errno);
}

// Waits for the answer to the request `wanted`. An error that answers any request is thrown.
Link receive_link(int socket, std::uint32_t wanted) {
    // A link's description is 1 to 2 KiB; the kernel never makes a message of more than 32 KiB for
    // it.
    alignas(nlmsghdr) std::array<char, 32768> buffer;  // NOLINT: filled by recvfrom()
    sockaddr_nl sender{};
    for (;;) {
        socklen_t sender_size = sizeof sender;
        const ssize_t got = recvfrom(socket, buffer.data(), buffer.size(), MSG_TRUNC,
                                     reinterpret_cast<sockaddr*>(&sender), &sender_size);
        if (got < 0)
            refused(errno);
        if (static_cast<size_t>(got) > buffer.size())
            refused(EMSGSIZE);
        if (sender.nl_pid != 0)
            continue;  // not the kernel
        int left = static_cast<int>(got);
        for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, left) != 0;
             header = nlmsg_next(header, &left)) {
            if (header->nlmsg_type == NLMSG_ERROR) {
                const auto* answer = static_cast<const nlmsgerr*>(nlmsg_data(header));
                refused(answer->error == 0 ? EPROTO : -answer->error);
            }
            if (header->nlmsg_type == RTM_NEWLINK && header->nlmsg_seq == wanted)
                return parse_link(header);
        }
    }
}

}  // namespace

LinkSocket::LinkSocket() : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    if (!socket_)
        fail_with_errno("failed to open control socket");
}

Link LinkSocket::get(const std::string& name) const {
    const std::array<Message, 1> requests{get_request(1, name)};
    send_requests(socket_.get(), requests);
    return receive_link(socket_.get(), 1);
}

Link LinkSocket::make_port(const std::string& name, const PortSettings& settings) const {
    // One RTM_NEWLINK for everything: the kernel takes the attributes in the order address, MTU,
    // alias, master, and the flags last (do_setlink() in net/core/rtnetlink.c), so the tap comes up
    // as a port. It is not acknowledged when it succeeds; the request behind it, which the kernel
    // reads next, answers with the result. So two messages take one call each way.
    std::array<Message, 2> requests{link_request(RTM_NEWLINK, 2, name, IFF_UP),
                                    get_request(3, name)};
    nl_msg* change = requests[0].get();
    must_fit(nla_put(change, IFLA_ADDRESS, static_cast<int>(settings.address.bytes().size()),
                     settings.address.bytes().data()));
    must_fit(nla_put_u32(change, IFLA_MTU, settings.mtu));
    must_fit(nla_put_u32(change, IFLA_MASTER, static_cast<std::uint32_t>(settings.master)));
    must_fit(nla_put_string(change, IFLA_IFALIAS, settings.alias.c_str()));
    send_requests(socket_.get(), requests);
    return receive_link(socket_.get(), 3);
}

}  // namespace tapgate
