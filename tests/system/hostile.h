// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a hostile local user has at hand: the calls that anyone may make on a tap, and helpers in
// crowds.

#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/system/testbed.h"

namespace tapgate {

// For as long as it lives this process has the user's effective ids, no supplementary group and no
// effective capability, which is what the kernel looks at for everything below. Not for starting
// helpers: the test bed does that as root.
class AsUser {
  public:
    explicit AsUser(const Account& user);
    ~AsUser();
    AsUser(const AsUser&) = delete;
    AsUser(AsUser&&) = delete;
    AsUser& operator=(const AsUser&) = delete;
    AsUser& operator=(AsUser&&) = delete;

  private:
    std::vector<gid_t> groups_;
};

// Runs `act` in a process that has all the user's ids, and returns what it returned; -1 when it did
// not get that far. Descriptors are inherited.
int in_process_of(const Account& user, const std::function<int()>& act);

// --- Where a contained tap lives

// Its network namespace, as its holder gets at it; empty where the kernel refuses, as it does for a
// tap in the host's own.
UniqueFd namespace_of_tap(int tap);
// As in_process_of(), in that namespace, with all that the user may do there.
int inside(const Account& user, int network_namespace, const std::function<int()>& act);

// --- The host, as an attacked one is looked at

// Links with what they are set to, ports with their options, FDBs, addresses, routes. No counters.
std::string host_network();
// host_network() as soon as it is `wanted`, or what it is after `limit`.
std::string host_network_becomes(const std::string& wanted, std::chrono::milliseconds limit);
// The links of the host whose name is that of a tap of tapgate's or of the kernel's, whatever kind
// they are.
std::vector<std::string> ports_by_name();

// The first link of that driver ("veth", "bridge", "tun") where the process is at the moment.
std::string link_of_driver(const std::string& driver);
// So many queues a host's link has to send or to receive, whichever are more.
std::size_t queues_of(const std::string& name);

// Everything below returns 0 or an errno.

// An empty fd and errno when the kernel refuses.
UniqueFd attach_tap(const std::string& name, unsigned flags);
int set_persistent(int tap, bool on);
int set_owner(int tap, uid_t owner);
int set_group(int tap, gid_t group);
int set_carrier(int tap, bool on);
int set_queue(int tap, bool attached);
int set_mac(int tap, const std::string& name, const std::array<unsigned char, 6>& mac);
int rename_link(const std::string& name, const std::string& to);
int write_attribute(const std::string& name, const std::string& attribute, const std::string& text);
// Over rtnetlink. `port`: in the bridge's own terms (AF_BRIDGE, IFLA_PROTINFO).
int set_alias(const std::string& name, const std::string& alias);
int set_master(const std::string& name, const std::string& master);
int set_port_isolated(const std::string& name, bool on);
int add_altname(const std::string& name, const std::string& altname);
int remove_altname(const std::string& name, const std::string& altname);
int remove_link(const std::string& name);
int add_link(const std::string& kind, const std::string& name);
// A veth pair with its other end in that namespace; -1: in this one.
int add_veth(const std::string& name, const std::string& peer, int peers_namespace);
// A bridge, made in the namespace that this one knows as `id`.
int add_link_elsewhere(const std::string& name, int id);
int name_namespace(int network_namespace, int id);
int move_link(const std::string& name, int network_namespace);
int set_link_state(const std::string& name, bool up);
int set_link_mtu(const std::string& name, unsigned mtu);
int set_link_mac(const std::string& name, const std::array<unsigned char, 6>& mac);
int add_address(const std::string& name, const std::string& ipv4);
int speak_stp_there(const std::string& bridge);
int set_link_type(int tap, int type);
// As root: `ip tuntap add NAME mode tap`, brought up as a port.
void add_persistent_tap(const std::string& name, const std::string& bridge);

// Whether the tap can still carry a frame of its holder's: an interface that was taken away says
// EBADFD.
bool is_alive(int tap);

// Helpers that run at once.
class Crowd {
  public:
    void add(unsigned count, const std::vector<std::string>& args,
             const HelperOptions& options = {});
    // SIGSTOP and SIGCONT, and SIGKILL too, to some at random; then lets all go on. `observe` is
    // called again and again on the way.
    void disturb(bool kill, const std::function<void()>& observe);
    std::vector<HelperResult> finish();

  private:
    std::vector<std::unique_ptr<HelperProcess>> helpers_;
    std::minstd_rand random_{std::random_device{}()};
};

std::size_t count_grants(const std::vector<HelperResult>& runs);

}  // namespace tapgate
