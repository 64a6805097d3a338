// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/port_tag.h"

#include <charconv>
#include <string_view>

namespace tapgate {

namespace {

constexpr std::string_view tag_start = "tapgate uid=";

}  // namespace

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
