// SPDX-License-Identifier: GPL-2.0-or-later
//
// How many frames a second go from one tap to another, on bridges whose rules give different taps.
//
//   frames [--rounds N] HELPER SENDER_UID RECEIVER_UID BRIDGE...
//
// What is written to the one is read from the other, frame by frame, by one thread, so that what is
// measured is the kernel's work for a frame and not how two processors share it. The bridges take
// turns. The last column is the ratio to the first bridge. Nothing here asserts a rate.

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "tests/bench/helper_start.h"

namespace {

using Clock = std::chrono::steady_clock;
using Mac = std::array<std::uint8_t, ETH_ALEN>;

// struct virtio_net_hdr of linux/virtio_net.h, which is no C++.
struct VnetHeader {
    std::uint8_t flags;
    std::uint8_t gso_type;
    std::uint16_t hdr_len;
    std::uint16_t gso_size;
    std::uint16_t csum_start;
    std::uint16_t csum_offset;
};
constexpr std::uint8_t needs_csum = 1;
constexpr std::uint8_t gso_tcp4 = 1;

constexpr Mac sender_mac = {0x52, 0x54, 0, 0, 0, 1};
constexpr Mac receiver_mac = {0x52, 0x54, 0, 0, 0, 2};
constexpr size_t segment = 1448;  // bytes of TCP's in a frame of 1500, with time stamps' room

// RFC 1071
std::uint16_t header_checksum(const iphdr& ip) {
    std::array<std::uint16_t, sizeof ip / 2> words{};
    std::memcpy(words.data(), &ip, sizeof ip);
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words)
        sum += word;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// A frame with QEMU's vnet header before it. Over 1514 bytes it is one of TCP's that whoever has to
// cut it may cut (GSO), as a guest with virtio sends it.
std::vector<char> frame(const Mac& from, const Mac& to, size_t size) {
    std::vector<char> bytes(sizeof(VnetHeader) + size);
    char* const ethernet = bytes.data() + sizeof(VnetHeader);
    std::copy(to.begin(), to.end(), ethernet);
    std::copy(from.begin(), from.end(), ethernet + ETH_ALEN);
    const std::uint16_t type = htons(ETHERTYPE_IP);
    std::memcpy(ethernet + std::ptrdiff_t{2} * ETH_ALEN, &type, sizeof type);
    iphdr ip{};
    ip.version = 4;
    ip.ihl = sizeof ip / 4;
    ip.tot_len = htons(static_cast<std::uint16_t>(size - ETH_HLEN));
    ip.ttl = 64;
    ip.protocol = IPPROTO_TCP;
    ip.saddr = htonl(0xc0000201);
    ip.daddr = htonl(0xc0000202);
    ip.check = header_checksum(ip);  // which br_netfilter looks at, where it is loaded
    std::memcpy(ethernet + ETH_HLEN, &ip, sizeof ip);
    tcphdr tcp{};
    tcp.doff = sizeof tcp / 4;
    tcp.ack = 1;
    std::memcpy(ethernet + ETH_HLEN + sizeof ip, &tcp, sizeof tcp);
    if (size > ETH_FRAME_LEN) {
        VnetHeader gso{};
        gso.flags = needs_csum;
        gso.gso_type = gso_tcp4;
        gso.hdr_len = ETH_HLEN + sizeof ip + sizeof tcp;
        gso.gso_size = segment;
        gso.csum_start = ETH_HLEN + sizeof ip;
        gso.csum_offset = offsetof(tcphdr, check);
        std::memcpy(bytes.data(), &gso, sizeof gso);
    }
    return bytes;
}

struct Wire {
    std::string bridge;
    int sender = -1;
    int receiver = -1;
    std::vector<double> rates;  // frames a second, one a round
};

int open_tap(const std::string& helper, const std::string& bridge, uid_t uid, const char* mac) {
    const int tap = start_helper(helper, bridge, {std::string("--mac=") + mac}, uid).tap;
    if (ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) != 0 ||
        fcntl(tap, F_SETFL, O_NONBLOCK) != 0)
        die("a tap on " + bridge);
    return tap;
}

void send_one(int tap, const std::vector<char>& bytes) {
    if (write(tap, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        die("write to a tap");
}

// Reads until a frame of that size came, for a second at most. False: none came.
bool receive_one(int tap, size_t size) {
    static std::array<char, 70000> buffer;
    for (;;) {
        pollfd ready{tap, POLLIN, 0};
        const ssize_t got = read(tap, buffer.data(), buffer.size());
        if (got == static_cast<ssize_t>(size))
            return true;
        if (got < 0 && (errno != EAGAIN || poll(&ready, 1, 1000) != 1))
            return false;
    }
}

// Waits until a bridge knows both stations, and lets frames through: some seconds with a spanning
// tree.
void wait_for(const Wire& wire) {
    const std::vector<char> there = frame(sender_mac, receiver_mac, 64);
    const std::vector<char> back = frame(receiver_mac, sender_mac, 64);
    for (int i = 0; i < 40; i++) {
        send_one(wire.sender, there);
        send_one(wire.receiver, back);
        if (receive_one(wire.receiver, there.size()) && receive_one(wire.sender, back.size()))
            return;
    }
    errno = ETIMEDOUT;
    die("no frame through " + wire.bridge);
}

double rate(const Wire& wire, size_t size) {
    const std::vector<char> bytes = frame(sender_mac, receiver_mac, size);
    constexpr std::chrono::milliseconds time{100};
    unsigned frames = 0;
    const Clock::time_point begin = Clock::now();
    while (Clock::now() - begin < time) {
        for (int i = 0; i < 64; i++, frames++) {
            send_one(wire.sender, bytes);
            if (!receive_one(wire.receiver, bytes.size())) {
                errno = EPROTO;
                die("a frame was lost on " + wire.bridge);
            }
        }
    }
    return frames / std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    unsigned rounds = 10;
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() > 2 && words[0] == "--rounds") {
        rounds = std::max(1U, number(words[1]));
        words.erase(words.begin(), words.begin() + 2);
    }
    if (words.size() < 4) {
        std::fprintf(stderr,
                     "Usage: frames [--rounds N] HELPER SENDER_UID RECEIVER_UID BRIDGE...\n");
        return 1;
    }
    const uid_t sender = number(words[1]);
    const uid_t receiver = number(words[2]);
    std::vector<Wire> wires;
    for (size_t i = 3; i < words.size(); i++) {
        wires.push_back({words[i],
                         open_tap(words[0], words[i], sender, "52:54:00:00:00:01"),
                         open_tap(words[0], words[i], receiver, "52:54:00:00:00:02"),
                         {}});
        wait_for(wires.back());
    }
    std::printf("%-14s %-12s %12s   ratio\n", "a frame of", "", "a second");
    for (const size_t size : {size_t{64}, size_t{1514}, size_t{65000}}) {
        for (Wire& wire : wires) {
            wire.rates.clear();
            rate(wire, size);
        }
        for (unsigned round = 0; round < rounds; round++)
            for (Wire& wire : wires)
                wire.rates.push_back(rate(wire, size));
        const double first = median(wires[0].rates);
        for (const Wire& wire : wires)
            std::printf("%8zu bytes %-12s %12.0f   %.2f\n", size, wire.bridge.c_str(),
                        median(wire.rates), median(wire.rates) / first);
    }
    return 0;
}
