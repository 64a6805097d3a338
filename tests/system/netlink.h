// SPDX-License-Identifier: GPL-2.0-or-later
//
// The few requests that the test bed needs to make a network, by rtnetlink and by ioctl().

#pragma once

#include <net/if.h>

#include <memory>
#include <string>

struct nl_sock;

namespace tapgate {

// A route socket in the network namespace that is current when it is made. Every request waits for
// the kernel's answer, and throws a std::runtime_error with the reason if that is a refusal.
class Rtnl {
  public:
    Rtnl();

    void add_link(const std::string& kind, const std::string& name);
    void add_veth(const std::string& name, const std::string& peer);
    void remove(const std::string& name);
    void set_up(const std::string& name);
    void add_altname(const std::string& name, const std::string& altname);
    // "02:00:00:00:00:01"
    void set_address(const std::string& name, const std::string& mac);
    void set_mtu(const std::string& name, unsigned mtu);
    // Makes it a port of the bridge.
    void set_master(const std::string& name, const std::string& bridge);

  private:
    struct SocketDeleter {
        void operator()(nl_sock* socket) const;
    };
    std::unique_ptr<nl_sock, SocketDeleter> socket_;
};

// For an ioctl() about the link.
ifreq link_request(const std::string& name);

}  // namespace tapgate
