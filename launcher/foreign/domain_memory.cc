// SPDX-License-Identifier: GPL-2.0-or-later
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/domain_parts.h"
#include "launcher/foreign/words.h"
#include "launcher/foreign/xml_document.h"

namespace tapgate {

namespace {

constexpr double mebibyte = 1048576;

// Bytes of <memory unit='KiB'>; nothing for what is no size.
std::optional<double> bytes_of(XmlLeft& xml, const pugi::xml_node& node) {
    static const std::map<std::string_view, double> units = {
        {"b", 1},      {"bytes", 1},    {"", 1024},   {"k", 1024},   {"KiB", 1024},   {"KB", 1e3},
        {"M", 0x1p20}, {"MiB", 0x1p20}, {"MB", 1e6},  {"G", 0x1p30}, {"GiB", 0x1p30}, {"GB", 1e9},
        {"T", 0x1p40}, {"TiB", 0x1p40}, {"TB", 1e12}, {"P", 0x1p50}, {"PiB", 0x1p50}, {"PB", 1e15}};
    const auto unit = units.find(xml.attribute(node, "unit"));
    const auto number = parse_whole<std::uint64_t>(xml.text(node));
    if (unit == units.end() || !number)
        return std::nullopt;
    return static_cast<double>(*number) * unit->second;
}

}  // namespace

void read_domain_memory(DomainParts& domain, const pugi::xml_node& memory) {
    const std::string was = tag_of(memory) + domain.xml.text(memory);
    const auto bytes = bytes_of(domain.xml, memory);
    if (!bytes || *bytes == 0)
        throw LauncherError(domain.source + ": " + shown(was) + ": no memory size");
    constexpr double most = 16.0 * 1024 * 1024;
    const double size = std::ceil(*bytes / mebibyte);
    if (size > most)
        throw LauncherError(domain.source + ": " + shown(was) + ": too much memory");
    domain.has_memory = true;
    std::string why;
    if (size * mebibyte != *bytes)
        add_reason(why, "rounded up to whole MiB");
    domain.set(was, "memory", std::to_string(static_cast<std::uint64_t>(size)) + "M",
               domain.with_left(memory, why));
}

}  // namespace tapgate
