// SPDX-License-Identifier: GPL-2.0-or-later
//
// Frames on the wires of a bridge: what a test sends at one end and receives, or does not receive,
// at another.
//
// To decide without waiting that a frame does NOT arrive, a beacon is sent after it, a frame that
// the station gets in any case: what has not come before that one does not come. This is certain
// because the kernel forwards within the sender's call, as long as one CPU does everything: see
// OneCpu. Only what goes through a veth pair may take a little longer, for which send() waits.

#pragma once

#include <sched.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/unique_fd.h"

namespace tapgate {

// The six bytes of "52:54:00:00:00:01".
std::string mac_bytes(std::string_view text);

// A number of 16 bits in network byte order.
std::string two(std::size_t number);
// The checksum of IPv4, ICMP, UDP (RFC 1071) over `text`.
std::string internet_checksum(std::string_view text);

// Two guests, nobody, and somebody in the network behind the bridge.
inline constexpr const char* mac_a = "52:54:00:00:00:0a";
inline constexpr const char* mac_b = "52:54:00:00:00:0b";
inline constexpr const char* nobodys_mac = "52:54:00:00:00:ff";
inline constexpr const char* router_mac = "00:11:22:33:44:55";
inline constexpr std::string_view broadcast_mac = "ff:ff:ff:ff:ff:ff";
inline constexpr std::string_view multicast_mac = "01:00:5e:01:02:03";

// A frame with an EtherType for experiments; no two are alike. With `vlan`, it has that tag
// (802.1Q).
std::string make_frame(std::string_view to, std::string_view from, int vlan = 0);
// The same frame with a tag.
std::string tagged(const std::string& frame, int vlan);
// "Who has `address`?", to everybody.
std::string make_arp_request(std::string_view from, std::string_view address);
// A spanning tree configuration message (802.1D 9.3.1) from a bridge that claims to be the root,
// with the best possible priority.
std::string make_bpdu(std::string_view from);

// An end of a wire as the kernel has it: gets every frame that passes the link, and writing to it
// sends one. Throws a std::runtime_error.
UniqueFd packet_socket(const std::string& link);

// Gives the link that MAC address, by SIOCSIFHWADDR: 0, or -1 with errno. `fd` is any socket, or a
// tap's descriptor, for whoever holds it.
int set_hardware_address(int fd, const std::string& name, std::string_view mac);

// Keeps this thread on the CPU where it is.
class OneCpu {
  public:
    OneCpu();
    ~OneCpu();
    OneCpu(const OneCpu&) = delete;
    OneCpu(OneCpu&&) = delete;
    OneCpu& operator=(const OneCpu&) = delete;
    OneCpu& operator=(OneCpu&&) = delete;

  private:
    cpu_set_t before_{};
};

// Where a station's beacons come from: usually the bridge itself, whose broadcasts reach all ports.
struct Beacon {
    std::string link;
    int vlan = 0;  // sent with this tag, but arrives without
};

// An end of a wire where a test sends and listens.
class Station {
  public:
    // The holder's side of a tap without a vnet header. Does not close it.
    static Station tap(int fd, Beacon beacon);
    // A network link that is no port itself: the far end of a veth, or a bridge as its host uses
    // it.
    static Station link(const std::string& name, Beacon beacon);

    // Waits until frames pass, which for a contained tap takes a moment after its port is up, until
    // the kernel has handled its inner links. Waits for at most a second, in which a bridge with
    // STP lets nothing pass. Discards what has arrived.
    void await_link() const;

    // False if the kernel did not take the frame.
    bool send(const std::string& frame) const;

    // Whether `frame`, which was sent before, has arrived here. Takes out everything that has.
    [[nodiscard]] bool got(const std::string& frame) const;
    // Everything that has arrived, with its tags.
    [[nodiscard]] std::vector<std::string> take_out() const;

  private:
    Station(UniqueFd own, int fd, Beacon beacon)
        : own_(std::move(own)), fd_(fd), beacon_(std::move(beacon)) {}
    std::string send_beacon() const;
    std::string read_frame() const;

    UniqueFd own_;
    int fd_;
    Beacon beacon_;
};

// An entry for a station in a bridge's table.
struct FdbEntry {
    std::string mac;
    bool local = false;
    unsigned port = 0;  // brport/port_no
};
// All entries, from /sys/class/net/BRIDGE/brforward.
std::vector<FdbEntry> forwarding_database(const std::string& bridge);

// Makes the bridge use STP, with the shortest delay that the kernel allows: a new port forwards
// after 4 s.
void speak_stp(const std::string& bridge);
// Waits until the port forwards.
void await_forwarding(const std::string& port);

}  // namespace tapgate
