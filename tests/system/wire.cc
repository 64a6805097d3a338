// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/wire.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_bridge.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/system/netlink.h"
#include "tests/system/testbed.h"

namespace tapgate {
namespace {

// For experiments (IEEE 802): nothing else in the namespace sends it.
constexpr std::string_view ether_type = "\x88\xb5";
constexpr std::size_t shortest_frame = 60;  // bytes, without the checksum
constexpr std::size_t tag_at = 12;          // behind the two addresses

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::string padded(std::string frame) {
    if (frame.size() < shortest_frame)
        frame.resize(shortest_frame, '\0');
    return frame;
}

std::string number_text() {
    static unsigned count = 0;
    return "frame " + std::to_string(++count) + " of a test";
}

}  // namespace

std::string mac_bytes(std::string_view text) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < text.size(); at += 3) {
        std::uint8_t byte = 0;
        std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
        bytes.push_back(static_cast<char>(byte));
    }
    return bytes;
}

std::string tagged(const std::string& frame, int vlan) {
    const std::string tag{'\x81', '\0', static_cast<char>(vlan >> 8),
                          static_cast<char>(vlan & 0xff)};
    return frame.substr(0, tag_at) + tag + frame.substr(tag_at);
}

std::string make_frame(std::string_view to, std::string_view from, int vlan) {
    std::string frame = mac_bytes(to) + mac_bytes(from);
    frame += ether_type;
    frame = padded(frame + number_text());
    return vlan == 0 ? frame : tagged(frame, vlan);
}

std::string make_arp_request(std::string_view from, std::string_view address) {
    std::string frame = mac_bytes(broadcast_mac) + mac_bytes(from);
    frame += std::string("\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
    frame += mac_bytes(from) + std::string("\xc0\x00\x02\x63", 4);  // 192.0.2.99
    frame += std::string(6, '\0');
    in_addr target{};
    inet_pton(AF_INET, std::string(address).c_str(), &target);
    frame.append(reinterpret_cast<const char*>(&target), sizeof target);
    return padded(frame);
}

std::string two(std::size_t number) {
    return {static_cast<char>(number >> 8U & 0xffU), static_cast<char>(number & 0xffU)};
}

std::string internet_checksum(std::string_view text) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < text.size(); i++)
        sum += std::size_t{static_cast<unsigned char>(text[i])} << (i % 2 == 0 ? 8U : 0U);
    while (sum > 0xffff)
        sum = (sum & 0xffffU) + (sum >> 16U);
    return two(~sum & 0xffffU);
}

std::string make_bpdu(std::string_view from) {
    const std::string bridge_id = std::string(2, '\0') + mac_bytes(from);
    std::string bpdu = "\x42\x42\x03";   // LLC: spanning tree, unnumbered information
    bpdu += std::string(4, '\0');        // protocol, version, type: configuration
    bpdu += '\0';                        // flags
    bpdu += bridge_id;                   // the root
    bpdu += std::string(4, '\0');        // its distance
    bpdu += bridge_id;                   // who says so
    bpdu += std::string("\x80\x01", 2);  // by which port
    bpdu += std::string("\x00\x00", 2);  // age
    bpdu += std::string("\x14\x00", 2);  // maximum age, in 1/256 s as are the next
    bpdu += std::string("\x02\x00", 2);  // hello time
    bpdu += std::string("\x0f\x00", 2);  // forward delay
    std::string frame = mac_bytes("01:80:c2:00:00:00") + mac_bytes(from);
    frame += '\0';
    frame += static_cast<char>(bpdu.size());
    return padded(frame + bpdu);
}

UniqueFd packet_socket(const std::string& link) {
    UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(link.c_str()));
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("packet socket on " + link);
    const int yes = 1;
    if (setsockopt(fd.get(), SOL_PACKET, PACKET_AUXDATA, &yes, sizeof yes) != 0)
        fail("PACKET_AUXDATA");
    return fd;
}

int set_hardware_address(int fd, const std::string& name, std::string_view mac) {
    ifreq request = link_request(name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    mac_bytes(mac).copy(static_cast<char*>(request.ifr_hwaddr.sa_data), 6);
    return ioctl(fd, SIOCSIFHWADDR, &request);
}

OneCpu::OneCpu() {
    if (sched_getaffinity(0, sizeof before_, &before_) != 0)
        fail("sched_getaffinity");
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &here);
    if (sched_setaffinity(0, sizeof here, &here) != 0)
        fail("sched_setaffinity");
}

OneCpu::~OneCpu() {
    sched_setaffinity(0, sizeof before_, &before_);
}

Station Station::tap(int fd, Beacon beacon) {
    return {UniqueFd(), fd, std::move(beacon)};
}

Station Station::link(const std::string& name, Beacon beacon) {
    UniqueFd fd = packet_socket(name);
    const int number = fd.get();
    return {std::move(fd), number, std::move(beacon)};
}

namespace {

// What comes out of a veth pair waits in a queue of its CPU, which the kernel may empty a little
// later. The loopback device uses the same queue, in order: what was sent before has passed one
// pair when something sent now has come back from there. A frame passes three at the most.
void let_pass_what_waits() {
    const UniqueFd echo(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq lo = link_request("lo");
    lo.ifr_flags = IFF_UP;
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (ioctl(echo.get(), SIOCSIFFLAGS, &lo) != 0 || bind(echo.get(), generic, size) != 0 ||
        getsockname(echo.get(), generic, &size) != 0 || connect(echo.get(), generic, size) != 0) {
        fail("loopback");
    }
    char byte = 0;
    for (int pairs = 0; pairs < 3; ++pairs) {
        if (::send(echo.get(), &byte, 1, 0) != 1 || recv(echo.get(), &byte, 1, 0) != 1)
            fail("loopback");
    }
}

}  // namespace

bool Station::send(const std::string& frame) const {
    // write() is right for both: a bound packet socket sends what is written.
    const bool sent = write(fd_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
    let_pass_what_waits();
    return sent;
}

// The frame as it arrives.
std::string Station::send_beacon() const {
    const UniqueFd sender = packet_socket(beacon_.link);
    std::string beacon = make_frame(broadcast_mac, "02:00:00:00:00:01");
    const std::string sent = beacon_.vlan == 0 ? beacon : tagged(beacon, beacon_.vlan);
    if (write(sender.get(), sent.data(), sent.size()) < 0)
        fail("send from " + beacon_.link);
    return beacon;
}

void Station::await_link() const {
    for (int i = 0; i < 100; ++i) {
        const std::string beacon = send_beacon();
        for (pollfd ready{fd_, POLLIN, 0}; poll(&ready, 1, 10) == 1;) {
            if (read_frame() == beacon)
                return;
        }
    }
}

bool Station::got(const std::string& frame) const {
    const std::vector<std::string> frames = take_out();
    return std::find(frames.begin(), frames.end(), frame) != frames.end();
}

std::vector<std::string> Station::take_out() const {
    const std::string last = send_beacon();
    std::vector<std::string> frames;
    for (std::string frame = read_frame(); frame != last; frame = read_frame())
        frames.push_back(frame);
    return frames;
}

std::string Station::read_frame() const {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, 5000) != 1)
        throw std::runtime_error("the beacon did not arrive within 5 s");
    std::array<char, 16384> buffer{};
    if (!own_) {
        const ssize_t size = read(fd_, buffer.data(), buffer.size());
        return {buffer.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
    }
    // The kernel takes a VLAN tag out of what a packet socket gets, and tells it beside.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control{};
    iovec data{buffer.data(), buffer.size()};
    sockaddr_ll from{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(fd_, &message, 0);
    if (size < 0 || from.sll_pkttype == PACKET_OUTGOING)
        return {};
    std::string frame(buffer.data(), static_cast<std::size_t>(size));
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == PACKET_AUXDATA) {
        tpacket_auxdata aux{};
        std::memcpy(&aux, CMSG_DATA(header), sizeof aux);
        if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0)
            return tagged(frame, aux.tp_vlan_tci);
    }
    return frame;
}

std::vector<FdbEntry> forwarding_database(const std::string& bridge) {
    const std::string data = read_text("/sys/class/net/" + bridge + "/brforward");
    std::vector<FdbEntry> entries;
    for (std::size_t at = 0; at + sizeof(__fdb_entry) <= data.size(); at += sizeof(__fdb_entry)) {
        __fdb_entry raw{};
        std::memcpy(&raw, data.data() + at, sizeof raw);
        std::array<char, 18> mac{};
        std::snprintf(mac.data(), mac.size(), "%02x:%02x:%02x:%02x:%02x:%02x", raw.mac_addr[0],
                      raw.mac_addr[1], raw.mac_addr[2], raw.mac_addr[3], raw.mac_addr[4],
                      raw.mac_addr[5]);
        entries.push_back({mac.data(), raw.is_local != 0,
                           static_cast<unsigned>(raw.port_no | (raw.port_hi << 8))});
    }
    return entries;
}

void speak_stp(const std::string& bridge) {
    const std::string options = "/sys/class/net/" + bridge + "/bridge/";
    Testbed::write_file(options + "stp_state", "1");
    Testbed::write_file(options + "forward_delay", "200");  // centiseconds
}

void await_forwarding(const std::string& port) {
    for (int i = 0; i < 2000 && Testbed::link_attribute(port, "brport/state") != "3"; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

}  // namespace tapgate
