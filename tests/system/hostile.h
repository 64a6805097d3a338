// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a hostile local user has at hand: the calls that anyone may make on a tap, and crowds of
// helpers.

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

// For as long as it lives, this process has the user's effective ids, no supplementary group and no
// effective capability, which is what the kernel checks for everything below. Not for starting
// helpers, which the test bed does as root.
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

// Runs `act` in a process that has all of the user's ids, and returns its result, or -1 if it did
// not get that far. Descriptors are inherited.
int in_process_of(const Account& user, const std::function<int()>& act);

// --- Where a contained tap lives

// The tap's network namespace, in the way that its holder can get it; empty if the kernel refuses
// that, as for a tap in the host's own namespace.
UniqueFd namespace_of_tap(int tap);
// Like in_process_of(), but in that namespace, with all that the user may do there.
int inside(const Account& user, int network_namespace, const std::function<int()>& act);

// --- The state of the attacked host

// Links with their settings, ports with their options, FDBs, addresses and routes, without
// counters.
std::string host_network();
// host_network() as soon as it is `wanted`, or what it is after `limit`.
std::string host_network_becomes(const std::string& wanted, std::chrono::milliseconds limit);
// The host's links with names like those of tapgate's or the kernel's taps, whatever their kind.
std::vector<std::string> ports_by_name();

// The first link of that driver ("veth", "bridge", "tun") in the current namespace.
std::string link_of_driver(const std::string& driver);
// How many queues a host's link has for sending or for receiving, whichever are more.
std::size_t queues_of(const std::string& name);

// Everything below returns 0 or an errno.

// An empty fd and errno if the kernel refuses.
UniqueFd attach_tap(const std::string& name, unsigned flags);
int set_persistent(int tap, bool on);
int set_owner(int tap, uid_t owner);
int set_group(int tap, gid_t group);
int set_carrier(int tap, bool on);
int set_queue(int tap, bool attached);
int set_mac(int tap, const std::string& name, const std::array<unsigned char, 6>& mac);
int rename_link(const std::string& name, const std::string& to);
int write_attribute(const std::string& name, const std::string& attribute, const std::string& text);
// Over rtnetlink. Functions with `port` use the bridge's own terms (AF_BRIDGE, IFLA_PROTINFO).
int set_alias(const std::string& name, const std::string& alias);
int set_master(const std::string& name, const std::string& master);
int set_port_isolated(const std::string& name, bool on);
// Enters a station in the bridge's table for good: frames from elsewhere do not move it.
int add_station(const std::string& port, const std::array<unsigned char, 6>& mac);
int add_altname(const std::string& name, const std::string& altname);
int remove_altname(const std::string& name, const std::string& altname);
int remove_link(const std::string& name);
// With an ifindex other than 0, it is to have that one.
int add_link(const std::string& kind, const std::string& name, unsigned index = 0);
// A veth pair with its other end in that namespace, or for -1 in this one.
int add_veth(const std::string& name, const std::string& peer, int peers_namespace);
// A VXLAN device that receives what comes for the network `number` at the UDP port `port`, up.
int add_vxlan(const std::string& name, unsigned number, unsigned port);
// A bridge, made in the namespace that has the number `id` in this one.
int add_link_elsewhere(const std::string& name, int id);
int name_namespace(int network_namespace, int id);
int move_link(const std::string& name, int network_namespace);
int set_link_state(const std::string& name, bool up);
int set_link_mtu(const std::string& name, unsigned mtu);
int set_link_mac(const std::string& name, const std::array<unsigned char, 6>& mac);
int add_address(const std::string& name, const std::string& ipv4);
int speak_stp_there(const std::string& bridge);
int set_link_type(int tap, int type);
// Has the link keep what it is to send, some first frames aside: a queue of a byte a second.
int keep_frames(const std::string& name);
// Has about a quarter of what the link sends come out of it marked by an ifb device, so that the
// kernel skips filters where it arrives (tc_skip_classify in include/linux/skbuff.h).
int skip_filters(const std::string& name);
// As root: `ip tuntap add NAME mode tap`, brought up as a port.
void add_persistent_tap(const std::string& name, const std::string& bridge);

// Whether the tap can still carry its holder's frames: the kernel says EBADFD if the interface was
// taken away.
bool is_alive(int tap);

// Several helpers that run at the same time.
class Crowd {
  public:
    void add(unsigned count, const std::vector<std::string>& args,
             const HelperOptions& options = {});
    // Sends SIGSTOP, SIGCONT and, with `kill`, SIGKILL to some at random, then lets all go on.
    // Meanwhile it calls `observe` again and again.
    void disturb(bool kill, const std::function<void()>& observe);
    std::vector<HelperResult> finish();

  private:
    std::vector<std::unique_ptr<HelperProcess>> helpers_;
    std::minstd_rand random_{std::random_device{}()};
};

std::size_t count_grants(const std::vector<HelperResult>& runs);

}  // namespace tapgate
