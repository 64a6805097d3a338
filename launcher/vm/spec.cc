// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/spec.h"

#include <arpa/inet.h>

#include <algorithm>
#include <stdexcept>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

// Not <cctype>: its answers depend on the locale.
bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool is_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_word_character);
}

// By RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        if (lead < 0x80)
            continue;
        const unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < more)
            return false;
        const auto second = static_cast<unsigned char>(text[i]);
        if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
            (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
            return false;
        for (unsigned n = 0; n < more; n++) {
            if ((static_cast<unsigned char>(text[i++]) & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

bool is_ipv4_address(const std::string& text) {
    in_addr address{};
    return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

// "ADDRESS:PORT"; the address may be empty.
struct Endpoint {
    std::string address;
    unsigned port;
};

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    const auto port = parse_whole<std::uint16_t>(text.substr(colon + 1));
    const std::string address(text.substr(0, colon));
    if (!port || (!address.empty() && !is_ipv4_address(address)))
        return std::nullopt;
    return Endpoint{address, *port};
}

}  // namespace

std::optional<HostPath> HostPath::parse(std::string_view text, const std::string& directory) {
    if (text.empty() || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::string path(text);
    if (path.front() != '/')
        path.insert(0, directory + "/");
    if (path.front() != '/' || !is_utf8(path))
        return std::nullopt;
    return HostPath(std::move(path));
}

std::optional<MemorySize> MemorySize::parse(std::string_view text) {
    std::uint64_t unit = 1;
    // "2GB" and "2GiB" mean the same, as everywhere except on the labels of disks.
    for (const std::string_view ending : {"iB", "B"}) {
        if (text.ends_with(ending) && text.size() > ending.size() &&
            std::string_view("MGTmgt").find(text[text.size() - ending.size() - 1]) !=
                std::string_view::npos) {
            text.remove_suffix(ending.size());
            break;
        }
    }
    if (!text.empty()) {
        const size_t place = std::string_view("MGTmgt").find(text.back());
        if (place != std::string_view::npos) {
            unit = 1ULL << (10 * (place % 3));
            text.remove_suffix(1);
        }
    }
    constexpr std::uint64_t most = 16ULL * 1024 * 1024;
    const auto number = parse_whole<std::uint64_t>(text);
    if (!number || *number < 1 || *number > most / unit)
        return std::nullopt;
    return MemorySize(*number * unit);
}

std::optional<CpuTopology> CpuTopology::make(unsigned sockets, unsigned cores, unsigned threads) {
    for (const unsigned n : {sockets, cores, threads}) {
        if (n < 1 || n > most_cpus)
            return std::nullopt;
    }
    if (sockets * cores * threads > most_cpus)
        return std::nullopt;
    return CpuTopology(sockets, cores, threads);
}

namespace {

// Values that guests may read contain blanks: hv-vendor-id=KVM Hv, model-id=Common CPU (R) @ 2 GHz.
bool is_cpu_property(std::string_view text) {
    return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::optional<CpuModel> CpuModel::parse(std::string_view text) {
    bool first = true;
    for (std::string_view rest = text;; first = false) {
        std::string_view word = rest.substr(0, rest.find(','));
        const size_t length = word.size();
        if (!first && (word.starts_with('+') || word.starts_with('-'))) {
            word.remove_prefix(1);
        } else if (const size_t equals = word.find('=');
                   !first && equals != std::string_view::npos) {
            if (!is_cpu_property(word.substr(equals + 1)))
                return std::nullopt;
            word = word.substr(0, equals);
        }
        if (!is_word(word) || word.front() == '-')
            return std::nullopt;
        if (length == rest.size())
            return CpuModel(text);
        rest.remove_prefix(length + 1);
    }
}

std::optional<MachineType> MachineType::parse(std::string_view text) {
    const bool is_q35 = text == "q35" || text.starts_with("pc-q35-");
    const bool is_pc = text == "pc" || text.starts_with("pc-i440fx-");
    if (!is_word(text) || text.ends_with('-') || (!is_q35 && !is_pc))
        return std::nullopt;
    return MachineType(text, is_q35);
}

std::optional<DiskSerial> DiskSerial::parse(std::string_view text) {
    constexpr size_t longest = 20;
    if (!is_word(text) || text.size() > longest)
        return std::nullopt;
    return DiskSerial(text);
}

std::optional<HostForward> HostForward::parse(std::string_view text) {
    const std::string_view protocol = text.substr(0, text.find(':'));
    if ((protocol != "tcp" && protocol != "udp") || protocol.size() == text.size())
        return std::nullopt;
    text.remove_prefix(protocol.size() + 1);
    const size_t dash = text.find('-');
    if (dash == std::string_view::npos)
        return std::nullopt;
    auto host = parse_endpoint(text.substr(0, dash));
    const auto guest = parse_endpoint(text.substr(dash + 1));
    if (!host || !guest || guest->port == 0)
        return std::nullopt;
    if (host->address.empty())
        host->address = "127.0.0.1";
    HostForward forward;
    forward.rule_ = std::string(protocol) + ":" + host->address + ":" + std::to_string(host->port) +
                    "-" + guest->address + ":" + std::to_string(guest->port);
    forward.protocol_ = protocol;
    forward.host_address_ = std::move(host->address);
    forward.host_port_ = host->port;
    return forward;
}

bool HostForward::excludes(const HostForward& other) const {
    constexpr std::string_view all = "0.0.0.0";
    return protocol_ == other.protocol_ && host_port_ == other.host_port_ && host_port_ != 0 &&
           (host_address_ == other.host_address_ || host_address_ == all ||
            other.host_address_ == all);
}

std::string_view name_of(ImageFormat format) {
    for (const auto& one : image_formats) {
        if (one.value == format)
            return one.name;
    }
    throw std::logic_error("an image format without a name");
}

std::optional<ImageFormat> image_format(std::string_view name) {
    for (const auto& one : image_formats) {
        if (one.name == name)
            return one.value;
    }
    return std::nullopt;
}

std::uint64_t memory_beside_guest(MemorySize guest) {
    constexpr std::uint64_t least = 200;
    return std::max(least, guest.mebibytes() / 16);
}

std::optional<Net> fallen_back(const Net& net) {
    const auto* const bridge = std::get_if<BridgeNet>(&net.link);
    if (bridge == nullptr || !bridge->fallback)
        return std::nullopt;
    return Net{.link = *bridge->fallback, .model = net.model, .mac = net.mac, .slot = net.slot};
}

}  // namespace tapgate
