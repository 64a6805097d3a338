// SPDX-License-Identifier: GPL-2.0-or-later
//
// Network links: what the kernel says about them, and the changes that turn one into a port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"
#include "common/unique_fd.h"
#include "helper/netlink.h"

namespace tapgate {

/// A port's flags, as bridge(8) calls them. Nothing where this kernel does not know the flag.
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
    bool stp = false;  ///< the kernel itself, not a daemon, does 802.1D's spanning tree protocol
    bool vlan_filtering = false;
};

/// How a link that is down is to be set up as a port.
struct PortSettings {
    MacAddress address;  ///< the link's own
    unsigned mtu = 0;    ///< bytes
    int master = 0;      ///< the bridge's ifindex
    std::string alias;
    bool contained = false;  ///< the outer end of a veth pair, where nobody may reach the host
    bool isolated = false;
    bool guard = false;                     ///< BPDU guard, root block, and no BPDUs of PVST+
    std::optional<MacAddress> only_sender;  ///< lock the port to this source address
    std::optional<std::uint16_t> vlan;      ///< an access port of this VLAN, and of no other
    bool pin_bridge_mac = false;            ///< keep taps from changing the bridge's own MAC
};

/// The name of the inner end of a contained tap's veth pair, which has the namespace to itself.
constexpr const char* inner_end = "inner";

/// The links of one network namespace. Changing anything needs CAP_NET_ADMIN there.
class LinkSocket {
  public:
    /// For this process's own namespace. Throws Failure.
    LinkSocket() : socket_(open_netlink_socket()) {}

    /// For the namespace in which `socket`, a socket of rtnetlink, was made.
    explicit LinkSocket(UniqueFd socket) : socket_(std::move(socket)) {}

    /// The link called `name`. Throws LinkError (ENODEV when there is none).
    [[nodiscard]] Link get(const std::string& name) const;

    /// The names of all links. Takes the kernel about 2.5 us for each link. Throws LinkError.
    [[nodiscard]] std::vector<std::string> names() const;

    // The next four use ioctl(), in a fraction of the time that messages take.

    /// The ifindices of the ports of `bridge`. Throws LinkError.
    [[nodiscard]] std::vector<int> ports(const std::string& bridge) const;

    /// The ifindex of the link called `name`; 0 when there is none. Not for finding out whether a
    /// name is free: for a name that is, a kernel with modules runs modprobe and waits for it, some
    /// milliseconds (dev_load() in net/core/dev_ioctl.c).
    [[nodiscard]] int index_of(const std::string& name) const;

    /// The name of the link `index`; empty when there is none. Takes about 0.4 us.
    [[nodiscard]] std::string name_of(int index) const;

    /// Whether the link may have a carrier; false when it certainly has none now. Takes about 0.4
    /// us for a tap; hardware may be slow to answer.
    [[nodiscard]] bool may_have_carrier(const std::string& name) const;

    /// Makes a veth pair with `queues` queues, both ends down. The outer end, called `name`, is in
    /// this namespace, on no bridge, and has the address and MTU of `settings`. The inner end,
    /// called inner_end, is in the namespace of `inside`. Returns the outer end's ifindex; 0 when a
    /// link called `name` exists already. Throws LinkError.
    [[nodiscard]] int make_veth(const std::string& name, const PortSettings& settings,
                                unsigned queues, const LinkSocket& inside) const;

    /// Joins inner_end and the link called `name` by a bridge that passes everything on, gives both
    /// an MTU of `mtu` bytes, and brings all three up. Throws LinkError.
    void join_inner_end(const std::string& name, unsigned mtu) const;

    /// In one exchange: sets the bridge's own address to each of `bridge_addresses` in turn, takes
    /// the link `index` down, gives it `name` and its settings, and returns what the kernel then
    /// says about it. Throws LinkError when the kernel refuses any of it.
    [[nodiscard]] Link configure(int index, const std::string& name, const PortSettings& settings,
                                 const std::vector<MacAddress>& bridge_addresses) const;

    /// Sets the link's MAC address, brings it up if `up`, and returns what the kernel then says
    /// about it. Throws LinkError.
    [[nodiscard]] Link set_address(int index, const MacAddress& address, bool up) const;

    /// Deletes the link. Throws LinkError.
    void remove(int index) const;

    /// The socket, still owned here.
    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    UniqueFd socket_;
};

}  // namespace tapgate
