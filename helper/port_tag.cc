// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/port_tag.h"

#include <array>
#include <charconv>

namespace tapgate {

namespace {

constexpr std::string_view tag_start = "tapgate uid=";
constexpr std::string_view name_start = "tap";
constexpr uid_t most_in_decimal = 9'999'999;  // more digits and a serial are more than a name holds
constexpr unsigned serials = 36 * 36 * 36 * 36;

void append_number(std::string& text, unsigned number, int base) {
    std::array<char, 10> digits{};
    text.append(digits.data(), std::to_chars(digits.begin(), digits.end(), number, base).ptr);
}

}  // namespace

std::string tap_name(uid_t uid, unsigned serial) {
    std::string name(name_start);
    const bool decimal = uid <= most_in_decimal;
    append_number(name, uid, decimal ? 10 : 36);
    name += decimal ? '-' : '_';
    append_number(name, serial % serials, 36);
    return name;
}

bool is_tap_name(std::string_view name) {
    return name.substr(0, name_start.size()) == name_start;
}

std::optional<uid_t> named_owner(std::string_view name) {
    if (!is_tap_name(name))
        return std::nullopt;
    name.remove_prefix(name_start.size());
    const size_t mark = name.find_first_of("-_");
    if (mark == std::string_view::npos)
        return std::nullopt;
    uid_t uid = 0;
    const auto [stop, error] =
        std::from_chars(name.data(), name.data() + mark, uid, name[mark] == '-' ? 10 : 36);
    if (error != std::errc() || stop != name.data() + mark)
        return std::nullopt;
    return uid;
}

std::string tag_of(uid_t uid, const std::optional<VmName>& vm) {
    std::string tag = std::string(tag_start) + std::to_string(uid);
    if (vm)
        tag += " vm=" + vm->str();
    return tag;
}

std::optional<uid_t> tagged_owner(const Link& link) {
    const std::string_view tag = link.alias;
    if (link.kind != "tun" || tag.substr(0, tag_start.size()) != tag_start)
        return std::nullopt;
    uid_t uid = 0;
    const char* const end = tag.data() + tag.size();
    const auto [stop, error] = std::from_chars(tag.data() + tag_start.size(), end, uid);
    if (error != std::errc() || (stop != end && *stop != ' '))
        return std::nullopt;
    return uid;
}

std::string slot_name(int bridge, uid_t uid, unsigned slot) {
    return "tapgate-" + std::to_string(bridge) + "-" + std::to_string(uid) + "-" +
           std::to_string(slot);
}

}  // namespace tapgate
