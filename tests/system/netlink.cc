// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <stdexcept>

#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

namespace tapgate {
namespace {

struct MessageDeleter {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, MessageDeleter>;

[[noreturn]] void fail(const std::string& what, int error) {
    throw std::runtime_error(what + ": " + nl_geterror(error));
}

void check(int result, const std::string& what) {
    if (result < 0)
        fail(what, result);
}

Message link_message(int flags, unsigned index, bool up, int type = RTM_NEWLINK) {
    Message message(nlmsg_alloc_simple(type, flags));
    if (!message)
        fail("netlink message", -NLE_NOMEM);
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(index);
    if (up) {
        info.ifi_flags = IFF_UP;
        info.ifi_change = IFF_UP;
    }
    check(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO), "ifinfomsg");
    return message;
}

unsigned index_of(const std::string& name) {
    const unsigned index = if_nametoindex(name.c_str());
    if (index == 0)
        throw std::runtime_error("no interface " + name);
    return index;
}

// nl_send_sync() frees the message, whatever comes of it.
void send(nl_sock* socket, Message message, const std::string& what) {
    check(nl_send_sync(socket, message.release()), what);
}

}  // namespace

void Rtnl::SocketDeleter::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}

Rtnl::Rtnl() : socket_(nl_socket_alloc()) {
    if (!socket_)
        fail("netlink socket", -NLE_NOMEM);
    check(nl_connect(socket_.get(), NETLINK_ROUTE), "netlink connect");
}

void Rtnl::add_link(const std::string& kind, const std::string& name) {
    Message message = link_message(NLM_F_CREATE | NLM_F_EXCL, 0, false);
    check(nla_put_string(message.get(), IFLA_IFNAME, name.c_str()), "name");
    nlattr* info = nla_nest_start(message.get(), IFLA_LINKINFO);
    check(nla_put_string(message.get(), IFLA_INFO_KIND, kind.c_str()), "kind");
    nla_nest_end(message.get(), info);
    send(socket_.get(), std::move(message), "add " + kind + " " + name);
}

void Rtnl::add_veth(const std::string& name, const std::string& peer) {
    Message message = link_message(NLM_F_CREATE | NLM_F_EXCL, 0, false);
    check(nla_put_string(message.get(), IFLA_IFNAME, name.c_str()), "name");
    nlattr* info = nla_nest_start(message.get(), IFLA_LINKINFO);
    check(nla_put_string(message.get(), IFLA_INFO_KIND, "veth"), "kind");
    nlattr* data = nla_nest_start(message.get(), IFLA_INFO_DATA);
    nlattr* other = nla_nest_start(message.get(), VETH_INFO_PEER);
    ifinfomsg peer_info{};
    check(nlmsg_append(message.get(), &peer_info, sizeof peer_info, NLMSG_ALIGNTO), "peer");
    check(nla_put_string(message.get(), IFLA_IFNAME, peer.c_str()), "peer name");
    nla_nest_end(message.get(), other);
    nla_nest_end(message.get(), data);
    nla_nest_end(message.get(), info);
    send(socket_.get(), std::move(message), "add veth " + name);
}

void Rtnl::remove(const std::string& name) {
    send(socket_.get(), link_message(0, index_of(name), false, RTM_DELLINK), "remove " + name);
}

void Rtnl::set_address(const std::string& name, const std::string& mac) {
    Message message = link_message(0, index_of(name), false);
    nl_addr* address = nullptr;
    check(nl_addr_parse(mac.c_str(), AF_LLC, &address), "address " + mac);
    const int result = nla_put_addr(message.get(), IFLA_ADDRESS, address);
    nl_addr_put(address);
    check(result, "address " + mac);
    send(socket_.get(), std::move(message), "set address of " + name);
}

void Rtnl::set_up(const std::string& name) {
    send(socket_.get(), link_message(0, index_of(name), true), "set " + name + " up");
}

void Rtnl::add_altname(const std::string& name, const std::string& altname) {
    Message message = link_message(NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, index_of(name), false,
                                   RTM_NEWLINKPROP);
    nlattr* list = nla_nest_start(message.get(), IFLA_PROP_LIST | NLA_F_NESTED);
    check(nla_put_string(message.get(), IFLA_ALT_IFNAME, altname.c_str()), "altname");
    nla_nest_end(message.get(), list);
    send(socket_.get(), std::move(message), "add altname " + altname);
}

void Rtnl::set_mtu(const std::string& name, unsigned mtu) {
    Message message = link_message(0, index_of(name), false);
    check(nla_put_u32(message.get(), IFLA_MTU, mtu), "mtu");
    send(socket_.get(), std::move(message), "set mtu of " + name);
}

void Rtnl::set_master(const std::string& name, const std::string& bridge) {
    Message message = link_message(0, index_of(name), false);
    check(nla_put_u32(message.get(), IFLA_MASTER, index_of(bridge)), "master");
    send(socket_.get(), std::move(message), "make " + name + " a port of " + bridge);
}

ifreq link_request(const std::string& name) {
    ifreq request{};
    name.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
    return request;
}

}  // namespace tapgate
