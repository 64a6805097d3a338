// SPDX-License-Identifier: GPL-2.0-or-later
//
// Network links through rtnetlink(7). libnl makes and takes apart the messages; the socket is three
// plain calls, since libnl's own asks the kernel for buffer sizes and port numbers that a program
// which sends two messages has no use for.
#ifndef TAPGATE_HELPER_LINK_H
#define TAPGATE_HELPER_LINK_H

#include <array>
#include <cstdint>
#include <string>

#include "common/names.h"
#include "common/unique_fd.h"

namespace tapgate {

/// What the kernel says about a link.
struct Link {
    int index = 0;
    std::string kind;   ///< "bridge", "tun", "veth", ...; empty for a physical device
    std::string alias;  ///< IFLA_IFALIAS
    unsigned mtu = 0;   ///< bytes
    int master = 0;     ///< the ifindex of the bridge that this link is a port of, or 0
    bool up = false;    ///< administratively (IFF_UP)
    MacAddress::Bytes address{};
};

/// What is to become of a tap that is down and nobody's port yet.
struct PortSettings {
    MacAddress address;
    unsigned mtu;  ///< bytes
    int master;    ///< the bridge's ifindex
    std::string alias;
};

/// A socket to the kernel's rtnetlink.
class LinkSocket {
  public:
    /// Throws Failure.
    LinkSocket();

    /// The link of that name. Throws std::system_error (ENODEV: there is none).
    [[nodiscard]] Link get(const std::string& name) const;

    /// Gives the link `name` its settings, brings it up, and returns what the kernel says about it
    /// then, all in one exchange. Throws std::system_error when the kernel refuses any of it.
    [[nodiscard]] Link make_port(const std::string& name, const PortSettings& settings) const;

  private:
    UniqueFd socket_;
};

}  // namespace tapgate

#endif
