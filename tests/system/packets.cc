// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/packets.h"

#include "tests/system/wire.h"

namespace tapgate {

const std::string broadcast_ipv4 = bytes({192, 0, 2, 255});
const std::string ipv6_source = bytes({0xfe, 0x80}) + std::string(13, '\0') + '\1';
const std::string all_nodes = bytes({0xff, 0x02}) + std::string(13, '\0') + '\1';

std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values)
        text += static_cast<char>(value);
    return text;
}

std::string ethernet(std::string_view to, std::string_view from, const std::string& rest) {
    std::string frame = mac_bytes(to) + mac_bytes(from) + rest;
    if (frame.size() < 60)
        frame.resize(60, '\0');
    return frame;
}

std::string udp(unsigned from, unsigned to, std::size_t size) {
    const std::string data(size, 'd');
    return two(from) + two(to) + two(8 + data.size()) + two(0) + data;
}

std::string ipv4(int protocol, const std::string& payload, const std::string& to,
                 unsigned fragment) {
    std::string header = bytes({0x45, 0}) + two(20 + payload.size()) + two(1) + two(fragment) +
                         bytes({64, protocol}) + two(0) + bytes({192, 0, 2, 1}) + to;
    header.replace(10, 2, internet_checksum(header));
    return two(0x0800) + header + payload;
}

std::string ipv6(int next, const std::string& payload, const std::string& to) {
    return two(0x86dd) + bytes({0x60, 0, 0, 0}) + two(payload.size()) + bytes({next, 255}) +
           ipv6_source + to + payload;
}

std::string longer(std::string ipv6_packet) {
    return ipv6_packet.replace(6, 2, two(0xffff));
}

std::string icmpv6(int type) {
    return bytes({type, 0, 0, 0}) + std::string(28, '\0');
}

std::string ipv6_options(int next, const std::string& payload) {
    return bytes({next, 0, 1, 4, 0, 0, 0, 0}) + payload;
}

std::string as_large(unsigned char type, std::uint16_t header_size, std::uint16_t segment_size) {
    constexpr std::uint16_t udp_header = 8;
    constexpr std::uint16_t checksum_in_it = 6;
    struct {
        std::uint8_t flags = 1;  // there is a checksum to complete
        std::uint8_t type = 0;
        std::uint16_t header_size = 0;
        std::uint16_t segment_size = 0;
        std::uint16_t checksum_from = 0;
        std::uint16_t checksum_at = checksum_in_it;
    } header;
    header.type = type;
    header.header_size = header_size;
    header.segment_size = segment_size;
    header.checksum_from = header_size - udp_header;
    return {reinterpret_cast<const char*>(&header), sizeof header};
}

}  // namespace tapgate
