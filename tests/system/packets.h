// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets, byte by byte: what a guest can put into a frame.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tapgate {

// A byte for each value.
std::string bytes(std::initializer_list<int> values);

// A frame with these MAC addresses ("02:..."), and what follows them, filled up to the shortest.
std::string ethernet(std::string_view to, std::string_view from, const std::string& rest);

// A datagram between these ports, with so many bytes of data.
std::string udp(unsigned from, unsigned to, std::size_t size = 64);

// 192.0.2.255, the broadcast address of a network.
extern const std::string broadcast_ipv4;
// What follows the MAC addresses: the EtherType, and a packet from 192.0.2.1. `to` is an address's
// four bytes; `fragment` is the header's field of that name: where in a packet this is, in units of
// 8 bytes.
std::string ipv4(int protocol, const std::string& payload, const std::string& to = broadcast_ipv4,
                 unsigned fragment = 0);

// The link-local address from which ipv6() sends, and that of all nodes on a link.
extern const std::string ipv6_source;
extern const std::string all_nodes;
// The same for IPv6; `next` is the protocol of the payload.
std::string ipv6(int next, const std::string& payload, const std::string& to = all_nodes);
// The same packet, which says to have as many bytes as there can be.
std::string longer(std::string ipv6_packet);
// A message of that type that says nothing else.
std::string icmpv6(int type);
// A header with options that say nothing to the destination, in front of `next`.
std::string ipv6_options(int next, const std::string& payload);

// A vnet header (linux/virtio_net.h, which is no C++): the frame behind it is a large datagram, to
// be segments or fragments of so many bytes; `header_size` bytes are in front of them.
std::string as_large(unsigned char type, std::uint16_t header_size, std::uint16_t segment_size);
inline constexpr unsigned char fragments_of_udp = 3;  // VIRTIO_NET_HDR_GSO_UDP
inline constexpr unsigned char segments_of_udp = 5;   // VIRTIO_NET_HDR_GSO_UDP_L4, Linux 6.2

}  // namespace tapgate
