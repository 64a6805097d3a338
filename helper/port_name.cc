// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/port_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "helper/failure.h"

namespace tapgate {

namespace {

constexpr std::string_view name_start = "tap";
constexpr std::string_view marks = "-_";  // after a uid in base 10, and after one in base 36
constexpr uid_t most_in_decimal = 999'999;

std::string number_text(std::uint64_t number, int base) {
    std::array<char, 20> digits{};
    return {digits.data(), std::to_chars(digits.begin(), digits.end(), number, base).ptr};
}

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, base);
    if (error != std::errc() || stop != end)
        return std::nullopt;
    return number;
}

}  // namespace

std::string port_name(uid_t uid, int bridge, unsigned slot) {
    const bool decimal = uid <= most_in_decimal;
    const auto serial = static_cast<std::uint64_t>(bridge) * slots_of_a_bridge + slot;
    std::string name = std::string(name_start) + number_text(uid, decimal ? 10 : 36) +
                       (decimal ? '-' : '_') + number_text(serial, 36);
    if (name.size() > InterfaceName::max_size)
        throw Failure("failed to create tun device: the bridge's ifindex " +
                      std::to_string(bridge) + " is too large for the names of uid " +
                      std::to_string(uid) + "'s ports: make the bridge earlier after a boot");
    return name;
}

std::optional<uid_t> named_owner(std::string_view name) {
    if (name.substr(0, name_start.size()) != name_start)
        return std::nullopt;
    name.remove_prefix(name_start.size());
    const size_t mark = name.find_first_of(marks);
    if (mark == std::string_view::npos)
        return std::nullopt;
    const auto uid = parse_number(name.substr(0, mark), name[mark] == marks[0] ? 10 : 36);
    if (!uid || *uid > UINT32_MAX)
        return std::nullopt;
    return static_cast<uid_t>(*uid);
}

Slots slots_within(unsigned limit, int bridge, const std::vector<std::string>& own) {
    if (own.size() >= limit)
        return {};
    std::vector<std::uint64_t> slots;
    for (const std::string& name : own) {
        const size_t mark = name.find_first_of(marks);
        const auto serial = parse_number(std::string_view(name).substr(mark + 1), 36);
        const auto first = static_cast<std::uint64_t>(bridge) * slots_of_a_bridge;
        slots.push_back(serial && *serial >= first ? *serial - first : limit);
    }
    // From the highest down: the slot that one port makes unavailable may be the next port's.
    std::sort(slots.rbegin(), slots.rend());
    unsigned usable = limit;
    for (const std::uint64_t slot : slots)
        if (usable > 0 && slot >= usable)
            usable--;
    return {.begin = 0, .size = usable, .first = 0};
}

std::string tag_of(uid_t uid, const std::optional<VmName>& vm,
                   const std::optional<MacAddress>& mac) {
    return "tapgate uid=" + std::to_string(uid) + (vm ? " vm=" + vm->str() : "") +
           (mac ? " mac=" + mac->str() : "");
}

}  // namespace tapgate
