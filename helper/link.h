// SPDX-License-Identifier: GPL-2.0-or-later
//
// Network links through rtnetlink(7). libnl makes and takes apart the messages; the socket is three
// plain calls, since libnl's own asks the kernel for buffer sizes and port numbers that a program
// which sends a few messages has no use for.
#ifndef TAPGATE_HELPER_LINK_H
#define TAPGATE_HELPER_LINK_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "common/names.h"
#include "common/unique_fd.h"

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
    std::string kind;                   ///< "bridge", "tun", ...; empty for a physical device
    std::string alias;                  ///< IFLA_IFALIAS
    std::vector<std::string> altnames;  ///< alternative names, unique in a network namespace
    unsigned mtu = 0;                   ///< bytes
    int master = 0;        ///< the ifindex of the bridge that this link is a port of, or 0
    bool up = false;       ///< administratively (IFF_UP)
    bool carrier = false;  ///< for a tap: a queue is attached (IFF_LOWER_UP)
    MacAddress::Bytes address{};
    PortFlags port;
    // Of a bridge:
    MacAddress::Bytes id_address{};  ///< the lower six bytes of its STP bridge id
    bool stp = false;  ///< it speaks the spanning tree protocol, in the kernel or by a daemon
    bool vlan_filtering = false;
    std::uint16_t default_vlan = 0;  ///< what a new port is in; 0: in none
    // Of a tap:
    bool multi_queue = false;
    bool vnet_header = false;
    unsigned queues = 0;  ///< attached and disabled ones; told for multiqueue taps only
};

/// What is to become of a tap that is down and nobody's port yet.
struct PortSettings {
    MacAddress address;  ///< the tap's own
    unsigned mtu = 0;    ///< bytes
    int master = 0;      ///< the bridge's ifindex
    std::string alias;
    bool isolated = false;
    bool guard = false;                     ///< BPDU guard and root block
    std::optional<MacAddress> only_sender;  ///< lock the port to this source address
    std::optional<std::uint16_t> vlan;      ///< access port of this VLAN, instead of ...
    std::uint16_t default_vlan = 0;         ///< ... this one, which the kernel puts it into
    std::vector<MacAddress>
        bridge_addresses;  ///< first set the bridge's own address, to these in turn
};

/// The kernel refused a question or a change.
class LinkError : public std::system_error {
  public:
    LinkError(int error_number, std::string step)
        : std::system_error(error_number, std::generic_category(),
                            "failed to read or change network links"),
          step_(std::move(step)) {}

    /// Which of the changes it was: "mac-lock"; empty for the tap's attaching itself.
    [[nodiscard]] const std::string& step() const { return step_; }

  private:
    std::string step_;
};

/// A socket to the kernel's rtnetlink.
class LinkSocket {
  public:
    /// Throws Failure.
    LinkSocket();

    /// The link of that name. Throws LinkError (ENODEV: there is none).
    [[nodiscard]] Link get(const std::string& name) const;

    /// All there is to know about every link. Takes the kernel some 2.5 us a link. Throws
    /// LinkError.
    [[nodiscard]] std::vector<Link> all() const;

    // By ioctl, in a fraction of the time that messages take:

    /// The ifindices of the ports of `bridge`. Throws LinkError.
    [[nodiscard]] std::vector<int> ports(const std::string& bridge) const;

    /// The name of the link with that ifindex; empty when there is none. Some 0.4 us.
    [[nodiscard]] std::string name_of(int index) const;

    /// Whether the link may have a carrier: false when it surely has none now. Some 0.4 us for a
    /// tap; hardware may take its time to answer.
    [[nodiscard]] bool may_have_carrier(const std::string& name) const;

    /// Gives the link `name` one more name. Throws LinkError (EEXIST: some link has it already).
    void add_altname(const std::string& name, const std::string& altname) const;

    /// Sets the link's MAC address, and returns what the kernel says about the link then. Throws
    /// LinkError.
    [[nodiscard]] Link set_address(const std::string& name, const MacAddress& address) const;

    /// Gives the link `name` its settings, brings it up, and returns what the kernel says about it
    /// then, in one exchange (or two, where an option needs the link's index). Throws LinkError
    /// when the kernel refuses any of it.
    [[nodiscard]] Link make_port(const std::string& name, const PortSettings& settings) const;

  private:
    UniqueFd socket_;
};

}  // namespace tapgate

#endif
