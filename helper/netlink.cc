// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/netlink.h"

#include <netlink/attr.h>
#include <netlink/utils.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "helper/failure.h"

namespace tapgate {

namespace {

// The libnl functions that add to a message fail only when it is full.
void must_fit(bool fits) {
    if (!fits)
        throw LinkError(EMSGSIZE, "");
}

}  // namespace

NetlinkRequest& NetlinkRequest::put(int attribute, const void* data, size_t size) {
    must_fit(nla_put(message_.get(), attribute, static_cast<int>(size), data) >= 0);
    return *this;
}

NetlinkRequest& NetlinkRequest::nest(int attribute,
                                     const std::function<void(NetlinkRequest&)>& fill) {
    nlattr* start = nla_nest_start(message_.get(), attribute | NLA_F_NESTED);
    must_fit(start != nullptr);
    fill(*this);
    nla_nest_end(message_.get(), start);
    return *this;
}

NetlinkRequest& NetlinkRequest::append(const void* data, size_t size) {
    // nlmsg_append() only reads the data, but takes it as void*.
    void* const bytes = const_cast<void*>(data);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    must_fit(nlmsg_append(message_.get(), bytes, size, NLMSG_ALIGNTO) >= 0);
    return *this;
}

UniqueFd open_netlink_socket() {
    UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd)
        fail_with_errno("failed to open control socket");
    // When libnl is a shared library, its constructor has read NLDBG from the caller's environment
    // before main(), which makes it print addresses. In the static helper it has no constructor.
    nl_debug = 0;
    return fd;
}

void exchange(int socket, std::vector<NetlinkRequest>& requests,
              const std::function<bool(nlmsghdr*)>& take) {
    // Answers to an earlier exchange that ended with an error may still arrive. Sequence numbers
    // tell them apart.
    static std::uint32_t next_number = 0;
    const std::uint32_t first = next_number;
    std::vector<iovec> parts;
    for (NetlinkRequest& request : requests) {
        nlmsghdr* header = request.header();
        header->nlmsg_seq = next_number++;
        parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
    }
    msghdr packet{};
    packet.msg_iov = parts.data();
    packet.msg_iovlen = parts.size();
    if (sendmsg(socket, &packet, 0) < 0)
        throw LinkError(errno, "");

    // The kernel never sends more than 32 KiB in one packet.
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
            const size_t asked = header->nlmsg_seq - first;
            if (asked >= requests.size())
                continue;
            if (header->nlmsg_type == NLMSG_DONE)
                return;
            if (header->nlmsg_type == NLMSG_ERROR) {
                const auto* answer = static_cast<const nlmsgerr*>(nlmsg_data(header));
                if (answer->error == 0)
                    return;
                throw LinkError(-answer->error, requests[asked].step());
            }
            if (header->nlmsg_type == RTM_NEWLINK && !take(header))
                return;
        }
    }
}

}  // namespace tapgate
