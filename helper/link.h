// SPDX-License-Identifier: GPL-2.0-or-later
//
// Network links: what the kernel says about them, and the changes that make a port of one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"
#include "common/unique_fd.h"
#include "helper/netlink.h"

namespace tapgate {

/// A port's flags, as bridge(8) calls them. Nothing: this kernel does not know the flag.
struct PortFlags {
    std::optional<bool> isolated;    ///< Linux 4.18
    std::optional<bool> guard;       ///< BPDU guard
    std::optional<bool> root_block;  ///< never becomes the root port
    std::optional<bool> learning;
    std::optional<bool> locked;  ///< Linux 5.18: only source addresses in the FDB may enter
};

/// What the kernel says about a link.
struct Link {
    int index = 0;
    std::string name;
    std::string kind;   ///< "bridge", "tun", "veth", ...; empty for a physical device
    std::string alias;  ///< IFLA_IFALIAS
    unsigned mtu = 0;   ///< bytes
    int master = 0;     ///< the ifindex of the bridge that this link is a port of, or 0
    bool up = false;    ///< administratively (IFF_UP)
    MacAddress::Bytes address{};
    PortFlags port;
    // Of a bridge:
    MacAddress::Bytes id_address{};  ///< the lower six bytes of its STP bridge id
    bool stp = false;  ///< it speaks the spanning tree protocol, in the kernel and not by a daemon
    bool vlan_filtering = false;
};

/// What is to become of a link that is down.
struct PortSettings {
    MacAddress address;  ///< the link's own
    unsigned mtu = 0;    ///< bytes
    int master = 0;      ///< the bridge's ifindex
    std::string alias;
    bool contained = false;  ///< a veth's outer end, on which the host is not to be reached
    bool isolated = false;
    bool guard = false;                     ///< BPDU guard and root block
    std::optional<MacAddress> only_sender;  ///< lock the port to this source address
    std::optional<std::uint16_t> vlan;      ///< access port of this VLAN, and in no other
    bool pin_bridge_mac = false;            ///< keep a tap from becoming the bridge's own MAC
};

/// The inner end of a contained tap's veth pair, in a namespace where nothing else is.
constexpr const char* inner_end = "inner";

/// The links of one network namespace. All that changes anything needs CAP_NET_ADMIN there.
class LinkSocket {
  public:
    /// Those of this process's namespace. Throws Failure.
    LinkSocket() : socket_(open_netlink_socket()) {}

    /// Those of the namespace in which open_netlink_socket() made `socket`.
    explicit LinkSocket(UniqueFd socket) : socket_(std::move(socket)) {}

    /// The link of that name. Throws LinkError (ENODEV: there is none).
    [[nodiscard]] Link get(const std::string& name) const;

    /// The names of all links. Takes the kernel some 2.5 us a link. Throws LinkError.
    [[nodiscard]] std::vector<std::string> names() const;

    // By ioctl, in a fraction of the time that messages take:

    /// The ifindices of the ports of `bridge`. Throws LinkError.
    [[nodiscard]] std::vector<int> ports(const std::string& bridge) const;

    /// The ifindex of the link of that name; 0 when there is none. Not to see whether a name is
    /// free: a kernel with modules runs modprobe for one that is, and waits (dev_load() in
    /// net/core/dev_ioctl.c), some milliseconds.
    [[nodiscard]] int index_of(const std::string& name) const;

    /// The name of the link with that ifindex; empty when there is none. Some 0.4 us.
    [[nodiscard]] std::string name_of(int index) const;

    /// Whether the link may have a carrier: false when it surely has none now. Some 0.4 us for a
    /// tap; hardware may take its time to answer.
    [[nodiscard]] bool may_have_carrier(const std::string& name) const;

    /// Makes a veth pair of `queues` queues: its outer end, called `name`, is here, down, of no
    /// bridge, without ARP, with the address and MTU of `settings`; its inner end, called
    /// inner_end, is in the namespace of `inside`, down. Returns the outer end's ifindex; 0: there
    /// is a link called `name`. Throws LinkError.
    [[nodiscard]] int make_veth(const std::string& name, const PortSettings& settings,
                                unsigned queues, const LinkSocket& inside) const;

    /// Joins inner_end and the link called `name`, whose MTU is then `mtu` bytes, by a bridge that
    /// keeps nothing back, and brings all three up. Throws LinkError.
    void join_inner_end(const std::string& name, unsigned mtu) const;

    /// Gives the link `index`, which is down, its settings, and returns what the kernel says about
    /// it then, in one exchange; before that it sets the bridge's own address, to each of
    /// `bridge_addresses` in turn. Throws LinkError when the kernel refuses any of it.
    [[nodiscard]] Link configure(int index, const PortSettings& settings,
                                 const std::vector<MacAddress>& bridge_addresses) const;

    /// Sets the link's MAC address, brings it up if `up`, and returns what the kernel says then.
    /// Throws LinkError.
    [[nodiscard]] Link set_address(int index, const MacAddress& address, bool up) const;

    /// Deletes the link. Throws LinkError.
    void remove(int index) const;

    /// The socket, still owned here.
    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    UniqueFd socket_;
};

}  // namespace tapgate
